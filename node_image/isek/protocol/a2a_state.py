"""The states of tasks."""

import time

from a2a.types import Message, TaskState, TaskStatus
from google.protobuf.timestamp_pb2 import Timestamp

ENDED = frozenset(
    {
        TaskState.TASK_STATE_COMPLETED,
        TaskState.TASK_STATE_FAILED,
        TaskState.TASK_STATE_CANCELED,
        TaskState.TASK_STATE_REJECTED,
    }
)


def status(state: TaskState, message: Message | None = None) -> TaskStatus:
    """A task is in ``state`` from now on; milliseconds, as the specification has them."""
    now = Timestamp()
    now.FromMilliseconds(time.time_ns() // 1_000_000)
    return TaskStatus(state=state, message=message, timestamp=now)
