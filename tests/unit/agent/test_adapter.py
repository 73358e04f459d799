import pytest
from isek import Adapter, Image, IsekAgent, IsekTeam, Message
from isek.asking import CallContext
from isek.loop_result import LoopExit

from tests.support.recording_model import RecordingModel, calls


class Foreign:
    """An agent of some other framework."""

    def invoke(self, text: str) -> str:
        if text == "fail":
            raise KeyError("an inner matter")
        return text.upper()


class Shouting(Adapter):
    def __init__(self) -> None:
        super().__init__("shouter", "Shouts.")
        self._foreign = Foreign()

    def answer(self, message: str, context: CallContext) -> str:
        return self._foreign.invoke(message)


class Patient(Shouting):
    async def answer(self, message: str, context: CallContext) -> str:  # type: ignore[override]
        return self._foreign.invoke(message)


def adapter_said(user: IsekAgent) -> str:
    assert isinstance(user.model, RecordingModel)
    return user.model.conversations[1][-1].content


@pytest.mark.parametrize("adapter", [Shouting(), Patient()])
def test_a_foreign_agent_answers_alone_in_a_team_and_as_a_tool(adapter: Adapter) -> None:
    user = IsekAgent(model=RecordingModel(calls(("shouter", '{"message": "hi"}')), "done"), tools=[adapter])

    assert str(adapter.run("hi")) == "HI"
    assert str(IsekTeam([adapter]).run("hi")) == "HI"
    assert (str(user.run("shout")), adapter_said(user)) == ("done", "HI")


def test_an_adapter_does_not_drop_images() -> None:
    result = Shouting().run(Message("user", "what is it?", images=(Image(url="https://example.org/sky.png"),)))

    assert result.errors[0].code == "ImagesNotSupported"


def test_what_a_foreign_agent_raises_is_an_error_of_the_run() -> None:
    result = Shouting().run("fail")

    assert (result.exit, result.errors[0].code) == (LoopExit.ERROR, "AdapterFailed")
    assert result.errors[0].message == "'shouter' failed: KeyError: 'an inner matter'"
