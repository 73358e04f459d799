"""kubectl for tests on a real cluster: one kubeconfig file, one namespace at a time, JSON in and out."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.waiting import until

Object = dict[str, Any]


class CommandFailedError(AssertionError):
    """A command ended with an error; an ``AssertionError``, so that ``until`` tries again."""

    def __init__(self, command: tuple[str, ...], code: int, output: str) -> None:
        super().__init__(f"`{' '.join(command)}` ended with {code}:\n{output}")
        self.code, self.output = code, output


async def run(*command: str | Path, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
    """Run a command and return its standard output.

    Raises:
        CommandFailedError: it ended with another code than 0.

    """
    words = tuple(str(word) for word in command)
    pipe = asyncio.subprocess.PIPE
    environment = {**os.environ, **(env or {})}
    process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
    output, errors = await process.communicate(stdin.encode())
    if process.returncode:
        raise CommandFailedError(words, process.returncode, (output + errors).decode(errors="replace").strip())
    return output.decode()


class Kubectl:
    """Runs kubectl in one namespace of the cluster that a kubeconfig file names."""

    def __init__(self, program: Path, kubeconfig: Path, *, namespace: str = "default") -> None:
        self.kubeconfig = kubeconfig
        self.namespace = namespace
        self._program = program

    @property
    def environment(self) -> dict[str, str]:
        """What other programs (helm, isek) need in their environment to use the same cluster."""
        return {"KUBECONFIG": str(self.kubeconfig)}

    def in_namespace(self, namespace: str) -> "Kubectl":
        return Kubectl(self._program, self.kubeconfig, namespace=namespace)

    async def __call__(self, *arguments: str | Path, stdin: str = "") -> str:
        """Run ``kubectl ARGUMENTS``; return its standard output, raise ``CommandFailedError`` with its errors."""
        return await run(*self.command(*arguments), stdin=stdin)

    async def apply(self, *objects: Mapping[str, Any]) -> str:
        """Apply objects on the server's side; return kubectl's lines."""
        return await self("apply", "--server-side", "-f", "-", stdin=_documents(objects))

    async def diff(self, *objects: Mapping[str, Any]) -> str:
        """What applying them on the server's side would change; empty: nothing (kubectl exits with 1 otherwise)."""
        return await self("diff", "--server-side", "-f", "-", stdin=_documents(objects))

    async def get(self, kind: str, name: str) -> Object:
        found: Object = json.loads(await self("get", kind, name, "-o", "json"))
        return found

    async def list(self, kind: str, *, labels: str = "") -> list[Object]:
        answer: Object = json.loads(await self("get", kind, "-o", "json", "--selector", labels))
        items: list[Object] = answer["items"]
        return items

    async def until_true(
        self, kind: str, name: str, condition: Callable[[Object], Any], *, what: str, within: float = 60
    ) -> Object:
        """Wait until the object exists and ``condition(object)`` is true; a missing field means not yet."""

        async def met() -> Object:
            found = await self.get(kind, name)
            assert condition(found), found.get("status")
            return found

        return await until(met, within=within, what=f"{kind} {name!r} {what}", retry_on=(LookupError, TypeError))

    async def until_condition(self, kind: str, name: str, type_: str = "Ready", *, within: float = 60) -> None:
        """Wait as ``kubectl wait --for=condition=…`` does, also for an object that is not there yet."""
        await self("wait", "--for=create", f"{kind}/{name}", f"--timeout={within:g}s")
        await self("wait", f"--for=condition={type_}", f"{kind}/{name}", f"--timeout={within:g}s")

    @asynccontextmanager
    async def port_forward(self, target: str, port: int) -> AsyncIterator[int]:
        """Forward a free port of 127.0.0.1 to ``target`` (``pod/…``, ``service/…``), and say which."""
        command = self.command("port-forward", target, f":{port}")
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        try:
            assert process.stdout is not None
            async with asyncio.timeout(30):
                line = (await process.stdout.readline()).decode()
            local = re.search(r"127\.0\.0\.1:(\d+)", line)
            assert local, f"kubectl port-forward {target} did not start"
            yield int(local[1])
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    async def story(self) -> str:
        """Tell what happened in the namespace: objects, events, the pods and what they said."""
        chapters = (
            ("get", "isek,all,pvc,configmap", "-o", "wide"),
            ("get", "isek", "-o", "yaml"),
            ("events",),
            ("describe", "pods"),
            # a selector that all pods match: logs wants one
            ("logs", "--selector=!none", "--all-containers", "--prefix", "--tail=50", "--max-log-requests=50"),
        )
        told = []
        for chapter in chapters:
            try:
                text = await self(*chapter)
            except CommandFailedError as error:
                text = error.output
            told.append(f"--- kubectl -n {self.namespace} {' '.join(chapter)}\n{text}")
        return "\n".join(told)

    def command(self, *arguments: str | Path) -> tuple[str, ...]:
        """The words of ``kubectl ARGUMENTS``, for who runs it in another way."""
        return (
            str(self._program),
            f"--kubeconfig={self.kubeconfig}",
            f"--namespace={self.namespace}",
            *(str(argument) for argument in arguments),
        )


def _documents(objects: Iterable[Mapping[str, Any]]) -> str:
    return "\n---\n".join(json.dumps(each) for each in objects)
