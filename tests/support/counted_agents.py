"""Agents that write down each of their runs, where a test can count them. Nodes import this file as code of agents."""

import asyncio
import os
import uuid
from pathlib import Path

from isek import Adapter, CallContext

JOURNAL = "TEST_JOURNAL"
"""Names the folder where each agent has a file. What is written there outlives a process that is killed."""
WORK_SECONDS = 0.05


class Counted(Adapter):
    """Writes down the name of its run and the message, works for a moment, and answers with the name of the run."""

    async def answer(self, message: str, context: CallContext) -> str:
        run = uuid.uuid4().hex
        line = f"{run} {message}\n".encode()
        file = os.open(Path(os.environ[JOURNAL]) / self.name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(file, line)  # in one piece: others write there as well
        finally:
            os.close(file)
        await asyncio.sleep(WORK_SECONDS)
        return run


class Asking(Adapter):
    """Answers what the writer does, wherever it lives."""

    async def answer(self, message: str, context: CallContext) -> str:
        assert context.asks is not None
        return (await context.asks.ask("writer", message, context)).text


desk = Asking("desk")
writer = Counted("writer")
archivist = Counted("archivist")
