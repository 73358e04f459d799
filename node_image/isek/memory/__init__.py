"""What agents remember: conversations, and what they learnt of their users."""

from isek.memory.memory import Memory, Recollection, Session

__all__ = ["Memory", "Recollection", "Session"]
