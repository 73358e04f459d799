"""The volumes of a pod as folders: ConfigMaps and Secrets change with their objects, claims keep what was written."""

import base64
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.support.kube import Object

Find = Callable[[str, str], Object | None]


class VolumeMissingError(Exception):
    """An object that a pod mounts does not exist (yet)."""


class Volumes:
    """The volumes of one pod.

    Args:
        pod: as the API server has it.
        folder: where they are to be; volume claims have their folders in ``claims``, by their uid.
        find: returns the live object of a kind (ConfigMap, Secret, PersistentVolumeClaim) and a name, if there is one.
        address: stands in ConfigMaps for ``0.0.0.0``, since all pods share this machine's network.
    """

    def __init__(self, pod: Object, folder: Path, *, claims: Path, find: Find, address: str) -> None:
        self._volumes: list[Object] = pod["spec"].get("volumes", [])
        self._folder, self._claims = folder, claims
        self._find, self._address = find, address
        self._written: dict[str, dict[str, bytes]] = {}

    def refresh(self) -> None:
        """Bring the volumes up to date.

        Raises:
            VolumeMissingError: an object is missing.
        """
        for volume in self._volumes:
            sources = list(_sources(volume))
            if sources:
                files = {path: data for source in sources for path, data in self._files(*source).items()}
                if self._written.get(volume["name"]) != files:
                    _swap(self._folder / volume["name"], files)
                    self._written[volume["name"]] = files
            else:
                self.path(volume["name"]).mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        """The folder of a volume."""
        [volume] = [volume for volume in self._volumes if volume["name"] == name]
        if claim := volume.get("persistentVolumeClaim"):
            return self._claims / str(self._get("PersistentVolumeClaim", claim["claimName"])["metadata"]["uid"])
        return self._folder / name

    def wipe(self) -> None:
        """Lose all that was written to the volume claims."""
        for volume in self._volumes:
            if "persistentVolumeClaim" in volume:
                shutil.rmtree(self.path(volume["name"]))

    def _files(self, kind: str, source: Object) -> dict[str, bytes]:
        name = source.get("secretName") or source["name"]
        if source.get("optional") and self._find(kind, name) is None:
            return {}
        data: dict[str, str] = self._get(kind, name).get("data") or {}
        paths = {item["key"]: item["path"] for item in source.get("items", [])} or {key: key for key in data}
        if kind == "Secret":
            return {paths[key]: base64.b64decode(value) for key, value in data.items() if key in paths}
        return {
            paths[key]: value.replace("0.0.0.0", self._address).encode() for key, value in data.items() if key in paths
        }

    def _get(self, kind: str, name: str) -> Object:
        found = self._find(kind, name)
        if found is None:
            raise VolumeMissingError(f"{kind} {name!r} not found")
        return found


def _sources(volume: Object) -> Iterator[tuple[str, Any]]:
    for part in volume.get("projected", {}).get("sources", [volume]):
        for field, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
            if field in part:
                yield kind, part[field]


def _swap(folder: Path, files: dict[str, bytes]) -> None:
    """Change all files of a folder at once, as kubelet does: readers never see a new key beside an old certificate."""
    folder.mkdir(parents=True, exist_ok=True)
    former = (folder / "..data").resolve() if (folder / "..data").exists() else None
    fresh = folder / f"..{0 if former is None else int(former.name[2:]) + 1}"
    for path, data in files.items():
        (fresh / path).parent.mkdir(parents=True, exist_ok=True)
        (fresh / path).write_bytes(data)
    fresh.mkdir(exist_ok=True)
    link = folder / "..next"
    link.symlink_to(fresh.name)
    link.replace(folder / "..data")
    for name in {path.split("/")[0] for path in files} - {found.name for found in folder.iterdir()}:
        (folder / name).symlink_to(f"..data/{name}")
    for found in folder.iterdir():
        if not found.exists():
            found.unlink()
    if former is not None:
        shutil.rmtree(former)
