"""Writes and programs go through a door, where an interrupt waits for them and a fault plan sees them."""

from __future__ import annotations

import ast
from pathlib import Path

import karrots

SOURCES = Path(karrots.__file__).parent
# What opens, starts, moves or deletes. Reading is free.
FORBIDDEN = {
    "subprocess": {"run", "Popen", "call", "check_call", "check_output"},
    "os": {"open", "rename", "replace", "remove", "unlink", "rmdir", "mkdir", "makedirs", "link", "symlink", "system"},
    "shutil": {"rmtree", "move", "copy", "copy2", "copyfile", "copytree"},
    "tempfile": {"mkdtemp", "mkstemp", "NamedTemporaryFile", "TemporaryDirectory"},
    "time": {"time"},
}
METHODS = {"write_text", "write_bytes", "rename", "unlink", "rmdir", "symlink_to", "hardlink_to", "touch", "mkdir"}
DOORS = {"files.py", "effects.py", "faults.py", "clock.py", "adapters/process.py"}
# Programs of their own, locks that the kernel keeps, and what is built once and thrown away when it is half made.
APART = {
    "engine/gitserver.py": "a server that runs on its own, after us",
    "engine/locks.py": "a lock file is not written as a whole",
    "engine/build.py": "a build in a scratch folder",
    "engine/binaries.py": "a build",
    "engine/assets.py": "a build",
    "engine/toolchain.py": "a build",
    "ops/demo.py": "a fleet in a temporary folder",
    "ops/reach.py": "a mark of Terraform's folder that means nothing",
    "ops/leftovers.py": "opens what it asks for a lock",
    "report/streams.py": "opens nothing but the null device",
    "computer.py": "one file, made once and whole",
    "fleet/turns.py": "a lock file is not written",
    "adapters/git_locks.py": "opens a folder to ask for its lock",
    "adapters/terraform_run.py": "makes an empty log private",
    "adapters/terraform_room.py": "a lock file is not written",
    "adapters/terraform_store.py": "lock files are opened to be held",
}


def calls(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            if node.func.attr in FORBIDDEN.get(owner, ()):
                found.add(f"{owner}.{node.func.attr}")
            elif node.func.attr in METHODS and owner not in {"files", "os"}:
                found.add(node.func.attr)
    return found


def test_the_search_finds_what_it_is_for() -> None:
    assert {"os.open", "subprocess.Popen", "time.time"} <= {c for door in DOORS for c in calls(SOURCES / door)}


def test_nobody_goes_past_the_doors() -> None:
    sources = {str(path.relative_to(SOURCES)): calls(path) for path in SOURCES.rglob("*.py")}
    past = {name: found for name, found in sources.items() if found and name not in DOORS | set(APART)}
    assert past == {}
