from datetime import UTC, datetime
from pathlib import Path

import pytest
from isek import IsekAgent, ToolError
from isek.tools.date_time import DateTime
from isek.tools.files import Files

from tests.support.asking import context
from tests.support.recording_model import RecordingModel, calls


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "Saturday, 2026-11-21T23:30:00+00:00"),
        ({"timezone": "Europe/Berlin"}, "Sunday, 2026-11-22T00:30:00+01:00"),
    ],
)
async def test_the_time_is_told_for_a_place(arguments: dict[str, str], said: str) -> None:
    clock = DateTime(now=lambda: datetime(2026, 11, 21, 23, 30, tzinfo=UTC))

    assert await clock.call(arguments, context()) == said


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "../../etc/passwd", ""])
async def test_a_time_zone_that_is_none_is_named(zone: str) -> None:
    with pytest.raises(ToolError, match="there is no time zone"):
        await DateTime().call({"timezone": zone}, context())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "notes").mkdir(parents=True)
    (root / "notes" / "today.txt").write_text("rain")
    (tmp_path / "secret.txt").write_text("secret")
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    (root / "up").symlink_to(tmp_path)
    (root / "loop").symlink_to("loop")
    (root / "picture").write_bytes(b"\xff\xfe\x00")
    return root


async def test_files_are_listed_and_read(folder: Path) -> None:
    files = Files(folder)

    assert (await files.execute_function("list_files")).splitlines()[-2:] == ["picture", "up/"]
    assert await files.execute_function("list_files", {"folder": "notes"}) == "today.txt"
    assert await files.execute_function("read_file", {"path": "notes/today.txt"}) == "rain"


@pytest.mark.parametrize(
    "path", ["../secret.txt", "link.txt", "up/secret.txt", "notes/../../secret.txt", "/etc/hostname", "up/new.txt"]
)
async def test_nothing_leads_out_of_the_folder(folder: Path, path: str) -> None:
    files = Files(folder, read_only=False)

    with pytest.raises(ToolError, match="outside of the folder"):
        await files.execute_function("read_file", {"path": path})
    with pytest.raises(ToolError, match="outside of the folder"):
        await files.execute_function("write_file", {"path": path, "content": "x"})
    assert (folder.parent / "secret.txt").read_text() == "secret"


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("none.txt", "there is no file"),
        ("notes", "there is no file"),
        ("picture", "is no text"),
        ("a\0b", "is no path|there is no file"),
        ("loop", "is no path|there is no file"),
        ("x" * 300, "cannot be used: File name too long"),
    ],
)
async def test_what_cannot_be_read_is_said(folder: Path, path: str, problem: str) -> None:
    with pytest.raises(ToolError, match=problem):
        await Files(folder).execute_function("read_file", {"path": path})


async def test_files_are_written_only_where_that_is_allowed(folder: Path) -> None:
    assert "write_file" not in Files(folder).list_functions()

    await Files(folder, read_only=False).execute_function("write_file", {"path": "new/a.txt", "content": "sun"})

    assert (folder / "new" / "a.txt").read_text() == "sun"


async def test_a_file_that_cannot_be_written_keeps_what_is_in_it(folder: Path) -> None:
    files = Files(folder, read_only=False)

    with pytest.raises(ToolError, match="half of a character"):
        await files.execute_function("write_file", {"path": "notes/today.txt", "content": "sun \ud800"})

    assert (folder / "notes" / "today.txt").read_text() == "rain"


def test_an_agent_reads_a_file(folder: Path) -> None:
    model = RecordingModel(calls(("read_file", '{"path": "notes/today.txt"}')), "it rains")

    assert IsekAgent(model=model, tools=[Files(folder)]).run("weather?").payload == "it rains"
    assert model.conversations[-1][-1].content == "rain"
