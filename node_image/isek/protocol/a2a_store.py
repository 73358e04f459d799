"""The tasks that a node remembers, in memory: a bounded number, and a bounded size.

It keeps to the SDK's interface of a store, so that another one can take its place.
"""

from collections import OrderedDict
from collections.abc import Sequence

from a2a.server.context import ServerCallContext
from a2a.server.tasks import TaskStore
from a2a.types import ListTasksRequest, ListTasksResponse, Task
from a2a.utils.constants import DEFAULT_LIST_TASKS_PAGE_SIZE
from a2a.utils.errors import InvalidParamsError
from a2a.utils.task import ListTasksCursor, decode_list_tasks_cursor, encode_list_tasks_cursor

from isek.protocol.a2a_context import call_of
from isek.protocol.a2a_state import ENDED

MAX_ENDED = 1_000
"""Of each agent."""
MAX_BYTES = 32 * 1024 * 1024
"""Of all that have ended, as they are sent."""

_Key = tuple[str, str]
"""An agent and the id of a task."""


class TaskMemory(TaskStore):
    """Tasks that run are all kept; of those that have ended the oldest go first.

    A task belongs to an agent, and to who asked for it where that is known: others do not see it.
    """

    def __init__(self, max_ended: int = MAX_ENDED, max_bytes: int = MAX_BYTES) -> None:
        self._max_ended = max_ended
        self._max_bytes = max_bytes
        self._tasks: dict[str, dict[str, tuple[Task, str]]] = {}
        self._ended: OrderedDict[_Key, int] = OrderedDict()
        """In the order in which they ended, with their size."""
        self._ended_of: dict[str, OrderedDict[str, None]] = {}
        self._bytes = 0

    async def save(self, task: Task, context: ServerCallContext) -> None:
        """Keep ``task``: the object itself, whose holder may change it and save it again."""
        call = call_of(context)
        self._tasks.setdefault(call.agent, {})[task.id] = (task, call.owner)
        if task.status.state in ENDED:
            self._count(call.agent, task)

    async def get(self, task_id: str, context: ServerCallContext) -> Task | None:
        """The task, if it is the caller's; None: there is none."""
        call = call_of(context)
        task, owner = self._tasks.get(call.agent, {}).get(task_id, (None, ""))
        return task if owner == call.owner else None

    async def list(self, params: ListTasksRequest, context: ServerCallContext) -> ListTasksResponse:
        """The caller's tasks, the one that changed last first, page by page.

        Raises:
            InvalidParamsError: the page token is none of ours.
        """
        call = call_of(context)
        tasks = [task for task, owner in self._tasks.get(call.agent, {}).values() if owner == call.owner]
        found = sorted((task for task in tasks if _wanted(task, params)), key=_position, reverse=True)
        size = params.page_size or DEFAULT_LIST_TASKS_PAGE_SIZE
        rest = found
        if params.page_token:
            cursor = decode_list_tasks_cursor(params.page_token)
            if cursor is None:
                raise InvalidParamsError("pageToken is not one that this agent gave")
            rest = [task for task in found if _position(task) < (cursor.timestamp_ns or 0, cursor.task_id)]
        return _page(rest, size, len(found), more=len(rest) > size)

    async def delete(self, task_id: str, context: ServerCallContext) -> None:
        """Forget a task, if it is the caller's."""
        if await self.get(task_id, context) is not None:
            self._forget(call_of(context).agent, task_id)

    def _count(self, agent: str, task: Task) -> None:
        size = task.ByteSize()
        of_agent = self._ended_of.setdefault(agent, OrderedDict())
        self._bytes += size - self._ended.pop((agent, task.id), 0)
        self._ended[agent, task.id] = size
        of_agent[task.id] = None
        if len(of_agent) > self._max_ended:
            self._forget(agent, next(iter(of_agent)))
        while self._bytes > self._max_bytes:
            self._forget(*next(iter(self._ended)))

    def _forget(self, agent: str, task_id: str) -> None:
        self._tasks[agent].pop(task_id, None)
        self._bytes -= self._ended.pop((agent, task_id), 0)
        self._ended_of.get(agent, OrderedDict()).pop(task_id, None)


def merged(pages: Sequence[ListTasksResponse]) -> ListTasksResponse:
    """The page of all replicas, from those of each: a token names a place in time, which is the same for all."""
    if len(pages) == 1:
        return pages[0]
    tasks = sorted((task for page in pages for task in page.tasks), key=_position, reverse=True)
    size = pages[0].page_size
    more = len(tasks) > size or any(page.next_page_token for page in pages)
    return _page(tasks, size, sum(page.total_size for page in pages), more=more)


def _page(tasks: Sequence[Task], size: int, total: int, *, more: bool) -> ListTasksResponse:
    page = tasks[:size]
    token = encode_list_tasks_cursor(ListTasksCursor(*_position(page[-1]))) if more else ""
    return ListTasksResponse(tasks=page, next_page_token=token, page_size=size, total_size=total)


def _wanted(task: Task, params: ListTasksRequest) -> bool:
    if params.context_id and task.context_id != params.context_id:
        return False
    if params.status and task.status.state != params.status:
        return False
    since = params.status_timestamp_after.ToNanoseconds() if params.HasField("status_timestamp_after") else 0
    return bool(task.status.timestamp.ToNanoseconds() >= since)


def _position(task: Task) -> tuple[int, str]:
    return task.status.timestamp.ToNanoseconds(), task.id
