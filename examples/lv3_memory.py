"""Memory: a conversation goes on where it was left, and conversations never mix."""

from isek import IsekAgent, Memory, OpenAIModel

agent = IsekAgent(
    name="friend",
    model=OpenAIModel("gpt-5-mini"),
    memory=Memory(),
    instructions="You are good company, and brief.",
)

if __name__ == "__main__":
    agent.print_response("My name is Ada, and I play the cello.", user_id="ada", session_id="monday")
    agent.print_response("Which instrument do I play?", user_id="ada", session_id="monday")
    agent.print_response("Do you know my name?", user_id="ben", session_id="tuesday")
