"""What the runs of an agent take, as far as its last ones tell."""

WEIGHT = 0.2
"""Of the latest run in the averages."""


class Effort:
    """Averages in which the latest runs count most; 0: there was none."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.tokens = 0.0
        self._runs = 0

    def add(self, seconds: float, tokens: int) -> None:
        """One more run."""
        self._runs += 1
        weight = max(WEIGHT, 1 / self._runs)
        self.seconds += weight * (seconds - self.seconds)
        self.tokens += weight * (tokens - self.tokens)
