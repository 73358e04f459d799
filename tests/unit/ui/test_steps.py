from typing import Any

from isek_ui.steps import Step, Steps

Json = dict[str, Any]


def tool_started(by: str, tool: str, call: str = "1") -> Json:
    return {"step": "ToolStarted", "agent": by, "callId": call, "tool": tool, "arguments": "{}"}


def tool_ended(by: str, call: str = "1", *, failed: bool = False) -> Json:
    return {"step": "ToolEnded", "agent": by, "callId": call, "tool": "any", "content": "said", "failed": failed}


def ask_started(by: str, agent: str) -> Json:
    return {"step": "AskStarted", "agent": agent, "message": "please", "by": by}


def ask_ended(by: str, agent: str, error: str | None = None) -> Json:
    return {"step": "AskEnded", "agent": agent, "seconds": 0.25, "error": error, "by": by}


def taken(steps: Steps, event: Json) -> Step:
    step = steps.take(event)
    assert step is not None
    return step


def test_a_tool_begins_and_ends_with_what_it_said() -> None:
    steps = Steps()

    begun = taken(steps, tool_started("planner", "calculator"))
    assert (begun.kind, begun.name, begun.input, begun.parent, begun.ended) == ("tool", "calculator", "{}", None, False)
    assert taken(steps, tool_ended("planner", failed=True)) is begun
    assert (begun.output, begun.failed, begun.ended) == ("said", True, True)
    assert steps.open == ()


def test_calls_of_one_id_belong_to_who_made_them() -> None:
    steps = Steps()
    of_planner = taken(steps, tool_started("planner", "calculator"))
    of_weather = taken(steps, tool_started("weather", "calculator"))

    assert taken(steps, tool_ended("weather")) is of_weather
    assert steps.open == (of_planner,)


def test_a_tool_that_asks_an_agent_becomes_the_step_of_that_agent() -> None:
    steps = Steps()
    called = taken(steps, tool_started("planner", "weather_news"))

    assert taken(steps, ask_started("planner", "weather.news")) is called
    assert (called.kind, called.name, called.input) == ("agent", "weather.news", "please")
    assert steps.take(ask_ended("planner", "weather.news")) is None, "the tool's end tells the answer"
    assert taken(steps, tool_ended("planner")).output == "said"


def test_what_an_asked_agent_does_comes_below_the_step_that_asks_it() -> None:
    steps = Steps()
    asked = taken(steps, ask_started("office", "planner"))
    below = taken(steps, tool_started("planner", "calculator"))

    assert below.parent is asked
    assert taken(steps, tool_ended("planner")).parent is asked
    assert taken(steps, ask_ended("office", "planner")).output == "answered after 0.2 s"


def test_members_that_are_asked_at_the_same_time_stand_side_by_side() -> None:
    steps = Steps()
    rain, wind = (taken(steps, ask_started("office", name)) for name in ("rain", "wind"))
    of_rain = taken(steps, ask_started("rain", "radar"))

    assert (rain.parent, wind.parent, of_rain.parent) == (None, None, rain)
    assert taken(steps, ask_ended("office", "rain", "PeerNotFound")).output == "PeerNotFound"
    assert rain.failed


def test_other_events_and_ends_without_a_beginning_are_passed_over() -> None:
    steps = Steps()

    assert steps.take({}) is None
    assert steps.take({"step": "RunStarted", "agent": "planner", "message": "hi"}) is None
    assert steps.take(tool_ended("planner")) is None
    assert steps.take(ask_ended("planner", "weather")) is None
