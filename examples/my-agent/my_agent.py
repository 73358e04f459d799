"""One agent that runs in a script, under `isek up`, and on a cluster.

python my_agent.py
isek up --watch my_agent.py     # and in another terminal: isek ask croupier "roll the dice"
kubectl apply -k .              # and then: isek ask croupier "roll the dice"
"""

from isek import IsekAgent
from keyword_model import KeywordModel


def dice() -> int:
    """A number that was drawn by lot."""
    return 4


agent = IsekAgent(name="croupier", model=KeywordModel(), tools=[dice], description="Rolls dice")

if __name__ == "__main__":
    agent.print_response("roll the dice")
