"""The history as Chainlit asks for it."""

from typing import Any

from chainlit.data.base import BaseDataLayer
from chainlit.data.utils import queue_until_user_message
from chainlit.types import Feedback, PageInfo, PaginatedResponse, Pagination, ThreadFilter
from chainlit.user import PersistedUser, User

from isek_ui.history import History

Json = dict[str, Any]


class DataLayer(BaseDataLayer):
    """Conversations with their steps; the page takes no files, so there are no elements."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def get_user(self, identifier: str) -> PersistedUser:
        """Whoever talks."""
        owner = self._history.owner(identifier)
        return PersistedUser(id=identifier, identifier=identifier, createdAt=owner["since"])

    async def create_user(self, user: User) -> PersistedUser:
        """The same."""
        return await self.get_user(user.identifier)

    async def upsert_feedback(self, feedback: Feedback) -> str:
        """Keep what somebody thinks of an answer, with the answer."""
        step = self._history.step(feedback.forId)
        if step is not None:
            said = {"id": feedback.forId, "forId": feedback.forId, "value": feedback.value, "comment": feedback.comment}
            self._history.keep(step | {"feedback": said})
        return str(feedback.forId)

    async def delete_feedback(self, feedback_id: str) -> bool:
        """Forget it."""
        step = self._history.step(feedback_id)
        if step is None:
            return False
        self._history.keep(step | {"feedback": None})
        return True

    async def create_element(self, element: Any) -> None:
        """There are none."""

    async def get_element(self, thread_id: str, element_id: str) -> None:
        """There are none."""

    async def delete_element(self, element_id: str, thread_id: str | None = None) -> None:
        """There are none."""

    @queue_until_user_message()
    async def create_step(self, step_dict: Json) -> None:
        """Keep a message or a step."""
        self._history.keep(step_dict)

    @queue_until_user_message()
    async def update_step(self, step_dict: Json) -> None:
        """Keep what has become of it."""
        self._history.keep(step_dict)

    @queue_until_user_message()
    async def delete_step(self, step_id: str) -> None:
        """Forget it."""
        self._history.drop_step(step_id)

    async def get_thread_author(self, thread_id: str) -> str:
        """Whose conversation it is; nobody's: empty."""
        found = self._history.conversation(thread_id)
        return str(found["userIdentifier"]) if found else ""

    async def delete_thread(self, thread_id: str) -> None:
        """Forget a conversation."""
        self._history.drop(thread_id)

    async def list_threads(self, pagination: Pagination, filters: ThreadFilter) -> PaginatedResponse:
        """The latest conversations."""
        found, more = self._history.conversations(
            filters.userId or "", first=pagination.first, after=pagination.cursor, search=filters.search
        )
        page = PageInfo(more, found[0]["id"] if found else None, found[-1]["id"] if found else None)
        return PaginatedResponse(page, list(found))

    async def get_thread(self, thread_id: str) -> Json | None:
        """A conversation with all that was said."""
        return self._history.conversation(thread_id)

    async def update_thread(
        self,
        thread_id: str,
        name: str | None = None,
        user_id: str | None = None,
        metadata: Json | None = None,
        tags: list[str] | None = None,
    ) -> None:
        """Say more of a conversation; its tag is the agent that it is with."""
        self._history.note(thread_id, name=name, agent=tags[0] if tags else None, owner=user_id, about=metadata)

    async def build_debug_url(self) -> str:
        """None: there is nothing elsewhere."""
        return ""

    async def get_favorite_steps(self, user_id: str) -> list[Json]:
        """None: there are no favourites."""
        return []

    async def close(self) -> None:
        """Let go of the file."""
        self._history.close()
