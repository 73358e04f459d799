"""A local mesh from its start to its end."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Sequence
from pathlib import Path

import click
from isek.api.documents import DocumentError
from isek.cli.run_directory import DEFAULT_NAME, RunDirectory
from isek.processes.errors import LocalError
from isek.processes.programs import check_packages, find_sidecar_program

from isek_operator.local.console import Console
from isek_operator.local.mesh import LocalMesh
from isek_operator.local.plan import NAMESPACE, Plan, plan
from isek_operator.local.python_files import PythonFiles
from isek_operator.local.watch import Watch

DEFAULT_MESH_ID = "default.default"


def run(paths: Sequence[Path], name: str, *, watch: bool) -> None:
    """Run what the files ask for until SIGINT, SIGTERM or SIGHUP; a second one ends it without waiting for what runs.

    Raises:
        DocumentError: a file is wrong.
        LocalError: something on this machine is missing or in the way.
    """
    console = Console()
    known = PythonFiles()
    watching = Watch(paths, known) if watch else None
    first = plan(paths, known)
    check_packages()
    program = find_sidecar_program()
    directory = RunDirectory(name)
    lock = directory.lock()
    if lock is None:
        raise LocalError(
            f"local mesh {name!r} runs already (process {directory.running_pid()}); "
            f"stop it with `isek down --name {name}`, or choose another --name"
        )
    try:
        asyncio.run(_run(first, directory, program.command, console, watching))
    finally:
        directory.forget()
        os.close(lock)


async def _run(
    first: Plan,
    directory: RunDirectory,
    sidecar_command: Sequence[str],
    console: Console,
    watching: Watch | None,
) -> None:
    stop, hurry = _signals()
    mesh = LocalMesh(directory, sidecar_command, console)
    try:
        await _first_of(_work(mesh, first, console, watching, directory.name), mesh.until_unguarded(), stop.wait())
    finally:
        console.say("stopping; Ctrl-C again ends it at once")
        await _first_of(mesh.stop(), hurry.wait())
        mesh.close()
    console.say("stopped")


async def _work(mesh: LocalMesh, first: Plan, console: Console, watching: Watch | None, name: str) -> None:
    """Start everything, and apply edits until cancelled."""
    console.say(f"starting {_count(first)}")
    await _change(mesh, first, console)
    edited = await _until_ready(mesh, console, watching, since=0)
    target = first.entry.removesuffix(f".{NAMESPACE}")
    named = "" if name == DEFAULT_NAME else f" --name {name}"
    console.say(f'in another terminal: isek ask{named} {target} "…"; Ctrl-C here stops everything')
    console.say(f"in Python: {_joining(mesh.registry_url, first)}")
    if watching is None:
        await asyncio.Event().wait()
        return
    since = 0.0
    while True:
        if not edited:
            await watching.until_edited()
        try:
            changed = await asyncio.to_thread(plan, watching.paths, watching.known)
        except DocumentError as error:
            for line in (*str(error).splitlines(), "the edit is not applied"):
                console.warn(line)
            edited = mesh.starting and await _until_ready(mesh, console, watching, since=since)
            continue
        console.say(f"applying the edit: {_count(changed)}")
        since = console.seconds
        await _change(mesh, changed, console)
        edited = await _until_ready(mesh, console, watching, since=since)


async def _change(mesh: LocalMesh, plan: Plan, console: Console) -> None:
    for problem in plan.problems:
        console.warn(problem)
    for note in plan.notes:
        console.say(note)
    await mesh.change_to(plan)


async def _until_ready(mesh: LocalMesh, console: Console, watching: Watch | None, *, since: float) -> bool:
    """Wait for what was started, and tell of it. True: there was an edit, which is not to wait for what is slow."""
    ready = asyncio.create_task(mesh.until_ready())
    edit = asyncio.create_task(watching.until_edited() if watching else asyncio.Event().wait())
    try:
        await asyncio.wait({ready, edit}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            return True
        if ready.result():
            console.say(f"ready after {console.seconds - since:.1f} s:")
        width = max((len(address) for address, _ in mesh.urls()), default=0)
        for address, url in mesh.urls():
            console.say(f"  {address.ljust(width)}  {click.style(url, bold=False)}")
        return edit.done()
    finally:
        ready.cancel()
        edit.cancel()
        await asyncio.gather(ready, edit, return_exceptions=True)


def _joining(registry_url: str, plan: Plan) -> str:
    """How a program's node joins the mesh of the first pod."""
    pod = plan.pods[0]
    named = "" if pod.mesh_id == DEFAULT_MESH_ID else f', mesh_id="{pod.mesh_id}"'
    return f'isek.Node(port=0, p2p={pod.p2p}, registry=isek.CenterRegistry("{registry_url}"{named}))'


def _count(plan: Plan) -> str:
    agents = {address for pod in plan.pods for address in pod.agents}
    sidecars = sum(pod.p2p for pod in plan.pods)
    return f"{len(agents)} agents and teams on {len(plan.pods)} nodes with {sidecars} libp2p sidecars"


def _signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Set by the first and by the second signal to stop."""
    stop, hurry = asyncio.Event(), asyncio.Event()

    def stop_or_hurry() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN or number is not signal.SIGHUP:  # nohup: goes on
            asyncio.get_running_loop().add_signal_handler(number, stop_or_hurry)
    return stop, hurry


async def _first_of(*awaitables: Awaitable[object]) -> None:
    """Wait for one of them, cancel the others, and raise what it raised."""
    tasks = [asyncio.ensure_future(each) for each in awaitables]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
