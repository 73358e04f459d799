"""An agent of another framework among Isek's: as an agent, and as a member of a team."""

from isek import Adapter, CallContext, IsekAgent, IsekTeam, OpenAIModel


class ForeignSummariser:
    """Stands for an agent that some other library made: all that matters is that it can be called."""

    def invoke(self, text: str) -> str:
        """The first sentence."""
        return text.partition(".")[0].strip() + "."


class Summariser(Adapter):
    """Lets the other one answer. An asynchronous ``answer`` will do as well."""

    def __init__(self, foreign: ForeignSummariser) -> None:
        super().__init__("summariser", "Sums up a text in one sentence.")
        self._foreign = foreign

    def answer(self, message: str, context: CallContext) -> str:
        """What the other one says."""
        return self._foreign.invoke(message)


summariser = Summariser(ForeignSummariser())
storyteller = IsekAgent(
    name="storyteller", model=OpenAIModel("gpt-5-mini"), instructions="You tell a story of three sentences."
)
team = IsekTeam([storyteller, summariser], name="short-stories")

if __name__ == "__main__":
    team.print_response("A story about a lighthouse")
