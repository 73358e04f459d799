"""Sessions, runs, messages and user memories."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    big = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "isek_sessions",
        sa.Column("id", big, primary_key=True),
        sa.Column("agent_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("session_id", sa.Text, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("summarised", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("agent_id", "user_id", "session_id", name="isek_sessions_key"),
    )
    op.create_table(
        "isek_runs",
        sa.Column("id", big, primary_key=True),
        sa.Column("session", big, sa.ForeignKey("isek_sessions.id", ondelete="CASCADE"), nullable=False),
        sa.Column("asked", sa.Text, nullable=False),
        sa.Column("exit", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("total_tokens", sa.BigInteger, nullable=False),
        sa.Column("tool_calls", sa.Integer, nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
    )
    op.create_index("isek_runs_session", "isek_runs", ["session", "id"])
    op.create_table(
        "isek_messages",
        sa.Column("run", big, sa.ForeignKey("isek_runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("tool_call_id", sa.Text, nullable=False),
        sa.Column("tool_calls", sa.JSON, nullable=False),
        sa.Column("images", sa.JSON, nullable=False),
    )
    op.create_table(
        "isek_user_memories",
        sa.Column("id", big, primary_key=True),
        sa.Column("agent_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("isek_user_memories_user", "isek_user_memories", ["agent_id", "user_id"])
