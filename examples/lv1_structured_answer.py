"""Answers as Python objects, and what becomes of a run that has none."""

from isek import IsekAgent, Limits, OpenAIModel
from pydantic import BaseModel, Field


class Recipe(BaseModel):
    """What the agent is to answer with."""

    title: str
    minutes: int = Field(ge=1, description="from the first cut to the table")
    ingredients: list[str]


agent = IsekAgent(
    name="cook",
    model=OpenAIModel("gpt-5-mini"),
    instructions=["You know the food of many countries.", "You cook for one person."],
    success_criteria="The recipe uses no meat.",
    output_type=Recipe,
    limits=Limits(max_iterations=5, timeout_seconds=60),
)

if __name__ == "__main__":
    result = agent.run("Something quick with lentils")
    if result.failed:
        raise SystemExit(str(result))
    recipe: Recipe = result.payload
    print(f"{recipe.title}, {recipe.minutes} minutes: {', '.join(recipe.ingredients)}")
    print(f"({result.iterations} calls of the model, {result.total_tokens} tokens)")
