"""The folder of one cluster of the engine, and the one file in it that says what runs (state.json)."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from karrots import files, places
from karrots.engine.processes import Known
from karrots.errors import Failed, UsageError
from karrots.spec import json_file

if TYPE_CHECKING:
    from pathlib import Path

ID = re.compile(r"[0-9a-z](?:[0-9a-z-]{0,61}[0-9a-z])?")
SCHEMA = 1
TYPES: dict[str, type] = {"str": str, "int": int, "bool": bool, "dict[str, str]": dict, "list[str]": list}
PARTS = ("bin", "home", "tmp", "artifacts", "logs", "run")


@dataclass(frozen=True)
class Request:
    """A cluster that is wanted. `repository` is the git directory that Flux is to read.

    `bare`: without Flux, as a cloud gives it; its controllers start once their Deployments have a pod that runs.
    `authenticator`: the kubeconfig of a webhook that the API server asks whose token it was shown.
    """

    id: str
    name: str
    repository: Path
    nodes: int = 1
    bare: bool = False
    authenticator: str = ""


@dataclass(frozen=True)
class State:
    """`content` names the versions whose kinds the API server was given; empty until it has all of them.

    `starting` is the component that is being started: there may be a process of it that is in no list yet. `deployed`
    are the controllers of Flux that a bare cluster was given.
    """

    id: str
    name: str
    repository: str
    nodes: int
    ports: dict[str, int]
    created: str
    binaries: str = ""
    content: str = ""
    starting: str = ""
    bare: bool = False
    authenticator: str = ""
    deployed: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    processes: dict[str, Known] = field(default_factory=dict)
    schema: int = SCHEMA


@dataclass(frozen=True)
class Folder:
    path: Path

    @property
    def pki(self) -> Path:
        return self.path / "pki"

    @property
    def etcd(self) -> Path:
        return self.path / "etcd"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def kubeconfig(self) -> Path:
        return self.path / "kubeconfig"

    @property
    def access(self) -> Path:
        return self.path / "access.json"

    @property
    def token(self) -> Path:
        return self.path / "git-token"

    @property
    def state(self) -> Path:
        return self.path / "state.json"

    def program(self, name: str) -> Path:
        """The link that a component is started through, so that its command line tells whose it is."""
        return self.path / "bin" / name

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def prepare(self) -> None:
        places.private_folder(self.path)
        for part in PARTS:
            files.make_folder(self.path / part)
        if not self.token.exists():
            write_private(self.token, secrets.token_urlsafe(32))

    def load(self) -> State | None:
        """None where there is no state; raises Failed for one that cannot be read."""
        try:
            return _state(json_file.load(files.content(self.state)))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (UsageError, OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise Failed(
                f"the engine's state of cluster '{self.path.name}' cannot be read",
                why=f"{self.state}: {error}",
                hint="karrots engine clean",
            ) from error

    def save(self, state: State) -> None:
        write_private(self.state, json.dumps(asdict(state), indent=2, sort_keys=True) + "\n")


def _state(data: dict[str, Any]) -> State:
    known = {f.name for f in fields(State)}
    values = {name: value for name, value in data.items() if name in known}
    values["ports"] = {name: int(port) for name, port in data["ports"].items()}
    values["processes"] = {name: Known.read(entry) for name, entry in data["processes"].items()}
    state = State(**values)
    _check(state)
    return state


def _check(state: State) -> None:
    """Raises TypeError or ValueError: processes are killed by these numbers, and folders named by these texts."""
    from karrots.engine.components import FLUX, PORT_NAMES  # it knows this module

    for each in fields(State):
        if each.type in TYPES and not isinstance(getattr(state, each.name), TYPES[str(each.type)]):
            raise TypeError(f"{each.name} has the wrong type")
    if not all(isinstance(version, str) for version in state.versions.values()):
        raise TypeError("versions has the wrong type")
    if unknown := {*state.deployed} - {*FLUX}:
        raise ValueError(f"{min(map(str, unknown))} is no controller of Flux")
    if missing := set(PORT_NAMES) - set(state.ports):
        raise ValueError(f"there is no port for {min(missing)}")
    if not all(0 < port < 1 << 16 for port in state.ports.values()):
        raise ValueError("a port is out of range")
    if not all(0 < known.pid < 1 << 31 for known in state.processes.values()):
        raise ValueError("a process has no process id")


def of(cluster_id: str) -> Folder:
    """Raises UsageError for an id that could lead out of the engine's folder."""
    if not ID.fullmatch(cluster_id):
        raise UsageError(f"'{cluster_id}' is not the id of a cluster", why="ids are lower-case letters and digits")
    return Folder(places.engine_clusters() / cluster_id)


def every() -> list[Folder]:
    home = places.engine_clusters()
    if not home.is_dir():
        return []
    return [Folder(path) for path in sorted(home.iterdir()) if path.is_dir() and ID.fullmatch(path.name)]


def lock(cluster_id: str) -> Path:
    """Beside the clusters and not among them: the folder of a cluster goes away while its lock is held."""
    return places.engine_clusters().parent / "locks" / cluster_id


def write_private(path: Path, text: str) -> None:
    """Whole, and without waiting for the disk: a start writes two dozen times, and what a power loss could take with
    it (who runs, on which port) it has ended anyway.
    """
    files.write(path, text, durable=False)
