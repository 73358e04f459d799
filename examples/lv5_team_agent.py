"""Teams: three agents solve a task together, in one of the five ways. `isek example run lv5_team_agent route`"""

import sys
from typing import get_args

from isek import IsekAgent, IsekTeam, OpenAIModel
from isek.team.modes import Mode

model = OpenAIModel("gpt-5-mini")
researcher = IsekAgent(
    name="researcher",
    model=model,
    description="Finds facts about a topic",
    instructions="You find facts. Answer in three short bullets.",
)
writer = IsekAgent(
    name="writer",
    model=model,
    description="Turns facts into a short article",
    instructions="You write a headline and one paragraph from the facts that you are given. Add none.",
)
critic = IsekAgent(
    name="critic",
    model=model,
    description="Says what is wrong with a text",
    instructions="You name the weakest point of a text in one sentence.",
)


def team(mode: Mode) -> IsekTeam:
    """The three as a team; all modes but ``sequential`` have a leader, who needs a model."""
    return IsekTeam([researcher, writer, critic], mode, name="newsroom", model=model)


if __name__ == "__main__":
    mode = sys.argv[1] if len(sys.argv) > 1 else "sequential"
    if mode not in get_args(Mode):
        raise SystemExit(f"there is no mode {mode!r}; there are: {', '.join(get_args(Mode))}")
    result = team(mode).print_response("Why is the sky blue?")  # type: ignore[arg-type]
    print(f"({mode}: {result.iterations} members answered)")
