"""Behind each EKS cluster a control plane of the engine: a real API server that logs in as EKS's does."""

from __future__ import annotations

import base64
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from karrots import places
from karrots.engine import runtime
from karrots.engine.folder import Folder
from tests.support.eks_account.authenticator import Authenticator
from tests.support.eks_account.eks_service import Reached

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.eks_account.account import Account


@dataclass
class EnginePlanes:
    """Nodes are simulated, as many as the node groups say; Flux's controllers run once they have pods.

    `repository` is a git directory that nobody reads: the engine's own git server stands before it. `environment` is
    the engine's: its clusters are no business of whoever uses the account.
    """

    folder: Path
    repository: Path
    environment: Mapping[str, str]
    clusters: Path = field(default_factory=places.engine_clusters)
    authenticator: Authenticator | None = None
    _starts: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def log_in_by(self, aws: Account) -> Authenticator:
        """Whoever has the account's own keys is believed."""
        keys = {aws.environment["AWS_ACCESS_KEY_ID"]: aws.environment["AWS_SECRET_ACCESS_KEY"]}
        self.authenticator = Authenticator(aws, keys)
        return self.authenticator

    def start(self, name: str) -> None:
        assert self.authenticator is not None
        config = self.folder / f"{name}-webhook.json"
        self.authenticator.write_config(name, config)
        words = ("--name", name, "--repository", str(self.repository), "--nodes", "0", "--bare")
        self._starts[name] = self._engine("up", name, *words, "--authenticator", str(config))

    def reached(self, name: str) -> Reached | None:
        if self._starts[name].poll() is None:
            return None
        access = runtime.access(Folder(self.clusters / name))
        return Reached(access.server, base64.b64encode(access.ca.encode()).decode())

    def scale(self, name: str, nodes: int) -> None:
        assert self._starts[name].wait() == 0
        assert self._engine("nodes", name, "--count", str(nodes)).wait() == 0

    def stop(self, name: str) -> None:
        self._starts.pop(name).wait()
        assert self._engine("down", name).wait() == 0

    def end(self) -> None:
        """Of those that nobody deleted."""
        for name in list(self._starts):
            self.stop(name)

    def _engine(self, verb: str, name: str, *words: str) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "karrots.engine", verb, "--id", name, *words]
        return subprocess.Popen(argv, stdout=subprocess.DEVNULL, env=self.environment)
