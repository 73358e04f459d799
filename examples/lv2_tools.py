"""Tools: plain functions, one that comes with Isek, and another agent."""

from datetime import date

from isek import Calculator, IsekAgent, OpenAIModel, Toolkit

model = OpenAIModel("gpt-5-mini")
calendar = Toolkit("calendar", instructions="Dates are written as YYYY-MM-DD.")


@calendar.register
def days_between(first: date, last: date) -> int:
    """How many days lie between two dates."""
    return (last - first).days


translator = IsekAgent(
    name="translator",
    model=model,
    description="Translates into French",
    instructions="You translate what you are given into French, and say nothing else.",
)
agent = IsekAgent(
    name="planner",
    model=model,
    instructions="You plan journeys. Never work out numbers or dates yourself: use the tools.",
    tools=[calendar, Calculator(), translator],
)

if __name__ == "__main__":
    agent.print_response("I travel from 2027-03-01 to 2027-03-15. How many nights is that? Answer in French.")
