"""What keeps a resource from being what its specification asks for."""

from dataclasses import dataclass

from isek_operator.decide.reasons import Reason


@dataclass(frozen=True)
class Problem:
    """Something that a user has to mend. The message names the object and the fix."""

    reason: Reason
    message: str
