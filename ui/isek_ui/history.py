"""The conversations so far, in a SQLite file."""

import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Json = dict[str, Any]

TABLES = """
CREATE TABLE IF NOT EXISTS conversations (
  id TEXT PRIMARY KEY, begun TEXT NOT NULL, touched TEXT NOT NULL, name TEXT, agent TEXT, owner TEXT,
  about TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE IF NOT EXISTS steps (
  id TEXT PRIMARY KEY, conversation TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE,
  begun TEXT NOT NULL, step TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS steps_of_conversation ON steps (conversation, begun);
CREATE TABLE IF NOT EXISTS owners (identifier TEXT PRIMARY KEY, since TEXT NOT NULL);
"""


class History:
    """Conversations and their steps. A step is kept as the JSON object that the page draws.

    Each call takes well under a millisecond, so that nothing is gained by threads.
    """

    def __init__(self, file: Path) -> None:
        self._database = sqlite3.connect(file, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        self._database.execute("PRAGMA foreign_keys = ON")
        self._database.executescript(TABLES)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def owner(self, identifier: str) -> Json:
        """Whose conversations they are; made at the first call."""
        self._database.execute("INSERT OR IGNORE INTO owners VALUES (?, ?)", (identifier, _now()))
        return dict(self._database.execute("SELECT * FROM owners WHERE identifier = ?", (identifier,)).fetchone())

    def note(
        self,
        conversation: str,
        *,
        name: str | None = None,
        agent: str | None = None,
        owner: str | None = None,
        about: Json | None = None,
    ) -> None:
        """Say more of a conversation, which is begun where there is none; None leaves what is known."""
        now = _now()
        self._database.execute(
            "INSERT INTO conversations (id, begun, touched) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET touched = ?",
            (conversation, now, now, now),
        )
        self._database.execute(
            "UPDATE conversations SET name = coalesce(?, name), agent = coalesce(?, agent), owner = coalesce(?, owner),"
            " about = coalesce(?, about) WHERE id = ?",
            (name, agent, owner, None if about is None else json.dumps(about), conversation),
        )

    def keep(self, step: Json) -> None:
        """Put a step in its conversation, or in the place of what was known of it."""
        self.note(step["threadId"])
        begun = step.get("createdAt") or step.get("start") or _now()
        self._database.execute(
            "INSERT INTO steps VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET step = excluded.step",
            (step["id"], step["threadId"], begun, json.dumps(step)),
        )

    def step(self, step_id: str) -> Json | None:
        """A step as it was kept."""
        row = self._database.execute("SELECT step FROM steps WHERE id = ?", (step_id,)).fetchone()
        return None if row is None else json.loads(row["step"])

    def drop_step(self, step_id: str) -> None:
        """Forget a step."""
        self._database.execute("DELETE FROM steps WHERE id = ?", (step_id,))

    def drop(self, conversation: str) -> None:
        """Forget a conversation with all its steps."""
        self._database.execute("DELETE FROM conversations WHERE id = ?", (conversation,))

    def conversation(self, conversation: str) -> Json | None:
        """One with its steps, in their order."""
        row = self._database.execute("SELECT * FROM conversations WHERE id = ?", (conversation,)).fetchone()
        if row is None:
            return None
        steps = self._database.execute(
            "SELECT step FROM steps WHERE conversation = ? ORDER BY begun, rowid", (conversation,)
        )
        return {**_about(row), "steps": [json.loads(each["step"]) for each in steps]}

    def conversations(
        self, owner: str, *, first: int, after: str | None = None, search: str | None = None
    ) -> tuple[Sequence[Json], bool]:
        """The latest ``first`` of somebody, without steps, and whether there are more; ``after`` is the id of the last
        one that is known, ``search`` a text that was said."""
        rows = self._database.execute(
            "SELECT * FROM conversations AS this WHERE owner = :owner AND name IS NOT NULL"
            " AND (:after IS NULL OR (touched, id) < (SELECT touched, id FROM conversations WHERE id = :after))"
            " AND (:search IS NULL OR EXISTS (SELECT 1 FROM steps WHERE conversation = this.id"
            "   AND instr(lower(json_extract(step, '$.output')), lower(:search))))"
            " ORDER BY touched DESC, id DESC LIMIT :most",
            {"owner": owner, "after": after, "search": search or None, "most": first + 1},
        ).fetchall()
        return [{**_about(row), "steps": []} for row in rows[:first]], len(rows) > first


def _about(row: sqlite3.Row) -> Json:
    about = json.loads(row["about"])
    if row["agent"] is not None:
        about["chat_profile"] = row["agent"]
    return {
        "id": row["id"],
        "createdAt": row["begun"],
        "name": row["name"],
        "userId": row["owner"],
        "userIdentifier": row["owner"],
        "tags": [row["agent"]] if row["agent"] else [],
        "metadata": about,
        "elements": [],
    }


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
