"""The modes that have a leader, by what the leader's model is asked and says."""

import json
from dataclasses import replace
from typing import Any

import pytest
from isek import CallError, Image, IsekAgent, IsekError, IsekTeam, Message, ModelReply, Retries, RunError
from isek.colleague import Far
from isek.events import AskStarted, Event, ModelReplied, RunEnded, RunStarted, TextDelta
from isek.loop_result import LoopExit
from isek.models.base import Usage
from isek.models.errors import ModelRateLimited
from isek.team.modes import MODES, Mode

from tests.support.asking import Directory, context
from tests.support.recording_model import RecordingModel, calls


def members(**answers: str) -> list[IsekAgent]:
    return [
        IsekAgent(name, model=RecordingModel(*[answer] * 9), description=f"Knows {name}.")
        for name, answer in answers.items()
    ]


def plan(**requests: str) -> str:
    return json.dumps({"assignments": [{"member": name, "request": text} for name, text in requests.items()]})


def step(member: str | None = None, request: str = "", *, finished: bool = False) -> str:
    return json.dumps({"member": member, "request": request, "finished": finished})


def asked(member: IsekAgent) -> list[str]:
    assert isinstance(member.model, RecordingModel)
    return [conversation[-1].content for conversation in member.model.conversations]


def test_coordinate_splits_the_task_and_puts_the_answers_together() -> None:
    rain, wind = members(rain="it rains", wind="it blows")
    leader = RecordingModel(plan(rain="rain?", wind="wind?"), "Rain and wind.")

    result = IsekTeam([rain, wind], "coordinate", model=leader).run("weather?")

    assert (str(result), result.iterations) == ("Rain and wind.", 2)
    assert (asked(rain), asked(wind)) == (["rain?"], ["wind?"])
    assert "- rain: Knows rain." in leader.conversations[0][0].content
    assert leader.conversations[1][-1].content == "weather?\n\nrain answered:\nit rains\n\nwind answered:\nit blows"


async def test_of_members_by_address_the_leader_knows_what_the_mesh_says() -> None:
    leader = RecordingModel('{"member": "wind"}')
    mesh = Directory({"wind": "it blows"}, {"wind": "Knows the wind."})
    team = IsekTeam(["rain", "wind"], "route", model=leader)

    result = await team.respond("wind?", replace(context(), asks=mesh))

    assert str(result) == "it blows"
    assert "- rain: an agent\n- wind: Knows the wind." in leader.conversations[0][0].content


def test_a_leader_that_names_a_stranger_is_asked_again() -> None:
    [rain] = members(rain="it rains")
    leader = RecordingModel(plan(snow="snow?"), plan(rain="rain?"), "Rain.")

    assert str(IsekTeam([rain], "coordinate", model=leader).run("weather?")) == "Rain."


def test_route_lets_the_one_that_fits_answer() -> None:
    rain, wind = members(rain="it rains", wind="it blows")

    result = IsekTeam([rain, wind], "route", model=RecordingModel('{"member": "wind"}')).run("wind?")

    assert str(result) == "it blows"
    assert (asked(rain), asked(wind)) == ([], ["wind?"])


def test_collaborate_asks_all_and_merges() -> None:
    rain, wind = members(rain="it rains", wind="it blows")

    result = IsekTeam([rain, wind], "collaborate", model=RecordingModel("both")).run("weather?")

    assert str(result) == "both"
    assert asked(rain) == asked(wind) == ["weather?"]


def test_adaptive_goes_on_until_the_leader_has_enough() -> None:
    rain, wind = members(rain="it rains", wind="it blows")
    leader = RecordingModel(step("rain", "rain?"), step("wind", "wind, with rain?"), step(finished=True), "a storm")

    result = IsekTeam([rain, wind], "adaptive", model=leader).run("weather?")

    assert str(result) == "a storm"
    assert (asked(rain), asked(wind)) == (["rain?"], ["wind, with rain?"])
    assert "rain answered:\nit rains" in leader.conversations[1][-1].content


def test_adaptive_ends_with_what_there_is_after_its_rounds() -> None:
    [rain] = members(rain="it rains")
    leader = RecordingModel(step("rain", "rain?"), step("rain", "still?"), "rain, twice")

    result = IsekTeam([rain], "adaptive", model=leader, max_rounds=2).run("weather?")

    assert (str(result), asked(rain)) == ("rain, twice", ["rain?", "still?"])


def test_a_team_goes_on_without_a_member_that_failed_when_it_may() -> None:
    directory = Directory({"rain": RunError("ModelError", "broken"), "wind": "it blows"})
    both = [Far("rain", directory), Far("wind", directory)]

    result = IsekTeam(both, "collaborate", model=RecordingModel("wind"), on_member_failure="continue").run("weather?")

    assert (str(result), result.exit) == ("wind", LoopExit.SATISFIED)
    assert [error.code for error in result.errors] == ["MemberFailed"]


@pytest.mark.parametrize("mode", ["sequential", "collaborate", "adaptive"])
def test_a_team_of_which_all_failed_has_no_answer(mode: Any) -> None:
    directory = Directory({"rain": RunError("ModelError", "broken")})
    leader = RecordingModel(step("rain", "rain?"), step(finished=True), "I guess that it rains")

    result = IsekTeam([Far("rain", directory)], mode, model=leader, on_member_failure="continue").run("weather?")

    assert (result.exit, result.errors[0].code) == (LoopExit.ERROR, "MemberFailed")


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (CallError("AgentUnreachable", "cannot be reached", retryable=True), 3),
        (CallError("AgentUnreachable", "broke off before it answered"), 1),
        (RunError("ModelRateLimited", "enough for now"), 3),
        (RunError("ModelAuthenticationFailed", "no key"), 1),
    ],
)
def test_a_member_is_asked_again_when_that_may_help_and_nothing_has_happened_yet(error: IsekError, tries: int) -> None:
    directory = Directory({"rain": error})
    retries = Retries(attempts=2, backoff_seconds=(0,))

    IsekTeam([Far("rain", directory)], retries=retries).run("weather?")

    assert len(directory.asked) == tries


@pytest.mark.parametrize(("sends", "tries"), [(True, 1), (False, 3)])
def test_what_a_member_has_done_is_not_done_again(*, sends: bool, tries: int) -> None:
    sent: list[str] = []

    def send_mail(to: str) -> None:
        """Send it."""
        sent.append(to)

    class RateLimited(RecordingModel):
        async def invoke(self, *args: Any, **rest: Any) -> ModelReply:
            reply = await super().invoke(*args, **rest)
            if not reply.tool_calls:
                raise ModelRateLimited("enough for now")
            return reply

    begin = [calls(("send_mail", '{"to": "ann"}'))] if sends else []
    model = RateLimited(*begin, *["never told"] * 3)
    retries = Retries(attempts=2, backoff_seconds=(0,))

    result = IsekTeam([IsekAgent("mailer", model=model, tools=[send_mail])], retries=retries).run("write to ann")

    assert result.failed
    assert (sent, len(model.conversations)) == (["ann"] if sends else [], tries + len(begin))


async def test_there_is_no_pause_that_outlasts_the_deadline() -> None:
    directory = Directory({"rain": RunError("ModelTimeout", "no answer")})

    result = await IsekTeam([Far("rain", directory)]).respond("weather?", context(seconds=1))

    assert result.errors[0].code == "MemberFailed"
    assert len(directory.asked) == 1


async def test_only_the_merged_answer_is_told_as_the_teams() -> None:
    [rain] = members(rain="it rains")
    team = IsekTeam([rain], "coordinate", "desk", model=RecordingModel(plan(rain="rain?"), "Rain."))

    events = [event async for event in team.stream("weather?")]

    assert "".join(e.text for e in events if isinstance(e, TextDelta) and e.agent == "desk") == "Rain."
    assert AskStarted("rain", "rain?", by="desk") in events
    assert isinstance(events[-1], RunEnded)
    assert events[-1].agent == "desk"


async def test_a_run_of_a_team_begins_and_ends_once_and_its_events_have_all_its_tokens() -> None:
    def costing(*replies: str) -> RecordingModel:
        return RecordingModel(*[ModelReply(reply, usage=Usage(5, 5)) for reply in replies])

    told: list[Event] = []
    rain = IsekAgent("rain", model=costing("it rains"))
    leader = costing(plan(rain="rain?"), "Rain.")
    team = IsekTeam([rain], "coordinate", "desk", model=leader, hooks=[told.append])

    events = [event async for event in team.stream("weather?")]

    for seen in (events, told):
        assert [type(event) for event in seen if event.agent == "desk" and not isinstance(event, TextDelta)] == [
            RunStarted,
            ModelReplied,
            ModelReplied,
            RunEnded,
        ]
    assert sum(event.usage.total_tokens for event in events if isinstance(event, ModelReplied) and event.usage) == 30
    assert isinstance(events[-1], RunEnded)
    assert events[-1].result.total_tokens == 30


@pytest.mark.parametrize("mode", MODES)
def test_all_who_work_on_a_task_see_its_images(mode: Mode) -> None:
    decided = {"coordinate": plan(rain="rain?"), "route": '{"member": "rain"}', "adaptive": step("rain", "rain?")}
    leader = RecordingModel(decided.get(mode, "wet"), "wet", "wet")
    [rain] = members(rain="it rains")
    task = Message("user", "weather?", images=(Image(url="https://example.org/sky.png"),))

    result = IsekTeam([rain], mode, model=leader, max_rounds=1).run(task)

    assert not result.failed
    for model in (rain.model, leader):
        assert isinstance(model, RecordingModel)
        assert all(conversation[-1].images == task.images for conversation in model.conversations)


def test_images_are_not_dropped_on_the_way_to_an_address() -> None:
    task = Message("user", "weather?", images=(Image(url="https://example.org/sky.png"),))

    result = IsekTeam([Far("rain", Directory({"rain": "it rains"}))]).run(task)

    assert "ImagesNotSupported: 'rain' cannot be shown images" in str(result)


def test_teams_nest() -> None:
    inner = IsekTeam(members(rain="it rains"), name="inner")
    middle = IsekTeam([inner], name="middle")

    assert str(IsekTeam([middle], name="outer").run("weather?")) == "it rains"


def test_a_team_cannot_be_its_own_member() -> None:
    outer, inner = IsekTeam(name="outer"), IsekTeam(name="inner")
    outer.add_member(inner)

    with pytest.raises(ValueError, match="own member: inner -> outer -> inner"):
        inner.add_member(outer)


def test_a_mode_with_a_leader_needs_a_model() -> None:
    with pytest.raises(ValueError, match="mode 'route' has a leader, who needs a model"):
        IsekTeam(mode="route")


def test_members_come_and_go_by_name() -> None:
    team = IsekTeam(members(rain="", wind=""))

    team.remove_member("rain")

    assert [each.name for each in team.members] == ["wind"]
    assert team.get_member_by_name("rain") is None
    with pytest.raises(ValueError, match="has no member 'rain'; it has: wind"):
        team.remove_member("rain")
