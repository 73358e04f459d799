"""An agent answers. Needs OPENAI_API_KEY, or OPENAI_BASE_URL for any endpoint that speaks the OpenAI API."""

from isek import IsekAgent, OpenAIModel

agent = IsekAgent(
    name="greeter",
    model=OpenAIModel("gpt-5-mini"),
    instructions="You greet people in one sentence, in the language that they speak.",
)

if __name__ == "__main__":
    agent.print_response("Hello! Who are you?")
