"""The tables of a memory, as the latest migration leaves them. Their names begin with ``isek_``: a database may be
shared with others."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

Id = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER counts up by itself there
metadata = MetaData()

sessions = Table(
    "isek_sessions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("agent_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("summary", Text, nullable=False, default=""),
    Column("summarised", BigInteger, nullable=False, default=0),
    UniqueConstraint("agent_id", "user_id", "session_id", name="isek_sessions_key"),
)
runs = Table(
    "isek_runs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("session", Id, ForeignKey("isek_sessions.id", ondelete="CASCADE"), nullable=False),
    Column("asked", Text, nullable=False),
    Column("exit", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("total_tokens", BigInteger, nullable=False),
    Column("tool_calls", Integer, nullable=False),
    Column("started", DateTime(timezone=True), nullable=False),
    Column("seconds", Float, nullable=False),
    Index("isek_runs_session", "session", "id"),
)
messages = Table(
    "isek_messages",
    metadata,
    Column("run", Id, ForeignKey("isek_runs.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("role", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("tool_call_id", Text, nullable=False),
    Column("tool_calls", JSON, nullable=False),
    Column("images", JSON, nullable=False),
)
user_memories = Table(
    "isek_user_memories",
    metadata,
    Column("id", Id, primary_key=True),
    Column("agent_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("text", Text, nullable=False),
    Index("isek_user_memories_user", "agent_id", "user_id"),
)
