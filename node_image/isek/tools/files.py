"""Files under a folder."""

import asyncio
from pathlib import Path

from isek.tools.base import RiskLevel, ToolError
from isek.tools.fetching import cut
from isek.tools.function import FunctionTool
from isek.tools.toolkit import Toolkit

MAX_CHARACTERS = 65_536
"""Of a file that is read, or written."""
MAX_ENTRIES = 1000


class Files(Toolkit):
    """Lists, reads and writes text files under a folder. Neither ``..`` nor a symbolic link leads out of it.

    Args:
        root: the folder.
        read_only: whether there is nothing to write with. Writing is of medium risk.
    """

    def __init__(self, root: str | Path, *, read_only: bool = True) -> None:
        self._root = Path(root)
        tools = [FunctionTool(self.list_files), FunctionTool(self.read_file)]
        if not read_only:
            tools.append(FunctionTool(self.write_file, risk_level=RiskLevel.MEDIUM))
        super().__init__("files", tools)

    async def list_files(self, folder: str = ".") -> str:
        """List a folder. Folders end with /.

        Args:
            folder: relative to the root.
        """
        return await asyncio.to_thread(self._list, folder)

    async def read_file(self, path: str) -> str:
        """Read a text file.

        Args:
            path: relative to the root.
        """
        return await asyncio.to_thread(self._read, path)

    async def write_file(self, path: str, content: str) -> str:
        """Write a text file, with the folders above it. What was in it is lost.

        Args:
            path: relative to the root.
            content: all of it.
        """
        return await asyncio.to_thread(self._write, path, content)

    def _list(self, folder: str) -> str:
        where = self._under_root(folder)
        if not where.is_dir():
            raise ToolError(f"there is no folder {folder!r}")
        names = sorted(f"{each.name}/" if each.is_dir() else each.name for each in where.iterdir())
        more = f"\n[and {len(names) - MAX_ENTRIES} more]" if len(names) > MAX_ENTRIES else ""
        return ("\n".join(names[:MAX_ENTRIES]) + more) or "the folder is empty"

    def _read(self, path: str) -> str:
        where = self._under_root(path)
        if not where.is_file():  # nor a pipe or a device, which may never end
            raise ToolError(f"there is no file {path!r}")
        try:
            with where.open(encoding="utf-8") as file:
                return cut(file.read(MAX_CHARACTERS + 1), MAX_CHARACTERS)
        except UnicodeDecodeError:
            raise ToolError(f"{path!r} is no text") from None
        except OSError as error:
            raise ToolError(f"{path!r} cannot be read: {error.strerror}") from None

    def _write(self, path: str, content: str) -> str:
        if len(content) > MAX_CHARACTERS:
            raise ToolError(f"the content has {len(content)} characters; {MAX_CHARACTERS} are allowed")
        where = self._under_root(path)
        if where.exists() and not where.is_file():
            raise ToolError(f"{path!r} is there and is no file")
        try:
            text = content.encode()
        except UnicodeEncodeError:
            raise ToolError("the content has half of a character, which no file can hold") from None
        try:
            where.parent.mkdir(parents=True, exist_ok=True)
            where.write_bytes(text)
        except OSError as error:
            raise ToolError(f"{path!r} cannot be written: {error.strerror}") from None
        return f"{path} is written"

    def _under_root(self, path: str) -> Path:
        root = self._root.resolve()
        try:
            where = (root / path).resolve()
        except (OSError, RuntimeError, ValueError):  # links in a circle, a null byte
            raise ToolError(f"{path!r} is no path") from None
        if not where.is_relative_to(root):
            raise ToolError(f"{path!r} is outside of the folder that may be used; paths are relative to it")
        try:
            where.exists()
        except OSError as error:  # a name that is too long, a folder that must not be looked into
            raise ToolError(f"{path!r} cannot be used: {error.strerror}") from None
        return where
