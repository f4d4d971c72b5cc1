"""Where karrots keeps things on this computer; no other module knows these folders.

XDG variables are honoured on every system, macOS included; `KARROTS_HOME` puts all of it below one folder.
"""

from __future__ import annotations

import os
from pathlib import Path

from karrots import files


def _base(variable: str, fallback: str, kind: str) -> Path:
    home = os.environ.get("KARROTS_HOME")
    if home:
        return Path(home).expanduser().absolute() / kind
    base = os.environ.get(variable)
    root = Path(base) if base and Path(base).is_absolute() else Path.home() / fallback
    return root / "karrots"


def state() -> Path:
    """Runs, Terraform states of local clusters, the engine's clusters: what must survive a restart."""
    return _base("XDG_STATE_HOME", ".local/state", "state")


def cache() -> Path:
    """What can be made again: the engine's binaries."""
    return _base("XDG_CACHE_HOME", ".cache", "cache")


def runs() -> Path:
    return state() / "runs"


def terraform_states() -> Path:
    return state() / "terraform"


def kubeconfig(cluster_id: str) -> Path:
    """The private kubeconfig `karrots env` and `run` use; the user's own is never touched."""
    return state() / "kubeconfigs" / f"{cluster_id}.json"


def footprint(cluster_id: str) -> Path:
    """What a cluster held when its destroy began; kept until the receipt is written."""
    return state() / "footprints" / f"{cluster_id}.json"


def rehearsals() -> Path:
    """Marks of rehearsals that run, or were killed."""
    return state() / "rehearsals"


def engine_clusters() -> Path:
    return state() / "engine" / "clusters"


def engine_binaries() -> Path:
    return cache() / "engine"


def replay_provider() -> Path:
    """The program that plays recorded providers."""
    return cache() / "replay"


def private_folder(path: Path) -> Path:
    """Make `path` and its parents with mode 0700 (they hold keys, states and plans)."""
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            files.make_folder(folder)
    return path


def data() -> Path:
    """The folder that holds `templates/` and `clusters/`: the checkout, or inside the installed wheel."""
    packaged = Path(__file__).parent / "_data"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent


def templates() -> Path:
    return data() / "templates"


def schemas() -> Path:
    """Recorded schemas of providers; in a checkout they are the tests' own."""
    packaged = data() / "schemas"
    return packaged if packaged.is_dir() else data() / "tests" / "data" / "schemas"
