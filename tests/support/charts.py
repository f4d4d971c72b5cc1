"""A Helm repository on loopback, with charts out of published modules."""

from __future__ import annotations

import hashlib
import http.server
import tarfile
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import yaml

from karrots.spec import yaml_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def served(root: Path, *charts: Path) -> Iterator[str]:
    """Its address; `charts` are folders as a release packs them."""
    root.mkdir()
    entries = {chart.name: [_packed(chart, root)] for chart in charts}
    (root / "index.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "entries": entries}))
    with at_work(partial(Quiet, directory=str(root))) as address:
        yield address


@contextmanager
def at_work(handler: Any) -> Iterator[str]:
    """Serve HTTP on a free port of loopback."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has there
        """Nobody reads it."""


def _packed(chart: Path, root: Path) -> dict[str, Any]:
    told: dict[str, Any] = yaml_file.load_text((chart / "Chart.yaml").read_bytes(), "Chart.yaml").value
    file = root / f"{chart.name}-{told['version']}.tgz"
    with tarfile.open(file, "w:gz") as archive:
        archive.add(chart, chart.name)
    return {**told, "urls": [file.name], "digest": hashlib.sha256(file.read_bytes()).hexdigest()}
