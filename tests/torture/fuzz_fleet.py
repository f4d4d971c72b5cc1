"""Whole verbs on broken fleets: content on the disk and in git, the ledger, files beside clusters, command lines."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

from tests.torture import hostile
from tests.torture.frame import Torture
from tests.torture.pen import BLOB, LEDGER, LINK, MODULE, PROGRAM, STORY, TREE, penned

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from tests.torture.pen import Pen

Entries = dict[bytes, tuple[bytes, str]]

NOT_OPENED = {"journal.jsonl", "state.json", "access.json"}  # before it is known that they are files
HUGE = 10 << 30  # bytes of a sparse file
CHAIN = 1500  # folders, each of which names the next

FORMS: tuple[tuple[str, ...], ...] = ((), (), ("-o", "json"), ("-o", "yaml"), ("-o", "name"), ("-q",))

# Content on the disk


def on_disk(random: Random, pen: Pen) -> None:
    for _ in range(random.randint(1, 3)):
        _spoil(random, pen)
    verbs = (
        ("lint",), ("lint", "--fix"), ("render",), ("render", "--check"), ("eject",), ("identity", "qa", "--write"),
        ("identity", "qa"), ("diff", "qa", "story"), ("create", "--dry-run"), ("doctor",), ("ls",), ("env", "qa"),
    )  # fmt: skip
    for words in random.sample(verbs, 4):
        pen.run(*words, *random.choice(FORMS), cwd=pen.qa if pen.qa.is_dir() else pen.root)


def _spoil(random: Random, pen: Pen) -> None:  # noqa: C901  (one case per way is the plainest form)
    files = [p for p in pen.root.rglob("*") if ".git" not in p.parts and not p.is_symlink() and p.is_file()]
    target = random.choice([pen.qa / "cluster.yaml", pen.root / "karrots.yaml", *files])
    if not target.is_file() or target.is_symlink():
        return
    match random.randrange(12):
        case 0:
            target.write_bytes(hostile.yaml_file(random, hostile.CLUSTER))
        case 1 | 2 | 3:
            target.write_bytes(hostile.mutated(random, target.read_bytes()))
        case 4:
            _linked(random, pen, target)
        case 5:
            _instead(random, target)
        case 6:
            os.truncate(target, HUGE)
        case 7:
            folder = random.choice([pen.qa / "terraform", pen.qa / "flux", pen.qa / "flux" / "apps"])
            shutil.rmtree(folder, ignore_errors=True)
            folder.unlink(missing_ok=True)
            folder.symlink_to(random.choice([pen.outside / "folder", pen.outside, pen.root, pen.folder / "nothing"]))
        case 8:
            _named(random, pen.qa / "flux")
        case 9:
            _chain_on_disk(pen)
        case 10:
            target.write_bytes(random.choice(MANIFESTS))
        case _:
            target.write_text(f"kind: {random.choice(hostile.SCALARS)}\n", "utf-8", "surrogatepass")


KUSTOMIZATIONS: tuple[bytes, ...] = tuple(
    b"apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: %s, namespace: %s}\n"
    b"spec:\n  path: %s\n"
    b"  sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}\n  postBuild: %s\n" % each
    for each in (
        (b"apps", b"flux-system", b"./clusters/qa/flux/apps", b"x"),
        (b"apps", b"flux-system", b"./clusters/qa/flux/apps", b"{substituteFrom: x}"),
        (b"apps", b"flux-system", b"./clusters/qa/flux/apps", b"{substituteFrom: {a: b}}"),
        (b"apps", b"flux-system", b"./clusters/qa/flux/apps", b"[a]"),
        (b"apps", b"flux-system", b"../../../../etc", b"{substitute: {a: b}}"),
        (b"apps", b"flux-system", b"/etc", b"{}"),
        (b"[a]", b"{b: c}", b"[d]", b"7"),
        (b"7", b"7", b"7", b"{substituteFrom: [7, {kind: ConfigMap}]}"),
        (b"'${cluster_name}'", b"'${'", b"'${${x}}'", b"{substitute: [a]}"),
    )
)
MANIFESTS: tuple[bytes, ...] = (
    *KUSTOMIZATIONS,
    b"resources: x\n",
    b"resources: [.]\n",
    b"resources: [..]\n",
    b"resources: [../flux]\n",
    b"resources: [/etc]\n",
    b"resources: [7, null, [a]]\n",
    b"configMapGenerator: [{files: [/etc/passwd, ../../../../etc/passwd, a=b=c]}]\n",
    b"patches: [{path: /etc/passwd}]\n",
    b"- a\n",
    b"kind: List\nitems: [null, [a], {kind: List, items: [1]}]\n",
    b"kind: List\nitems: 7\n",
)


def _linked(random: Random, pen: Pen, target: Path) -> None:
    target.unlink()
    places: tuple[str, ...] = (
        f"{pen.outside}/secret.yaml",
        str(target),
        f"{pen.folder}/nothing",
        "/dev/zero",
        "/proc/self/mem",
        ".",
    )
    target.symlink_to(random.choice(places))


def _instead(random: Random, target: Path) -> None:
    """Something that is no file where one should be."""
    target.unlink()
    match random.randrange(3):
        case 0:
            os.mkfifo(target)
        case 1:
            target.mkdir()
        case _:
            os.mkfifo(target, 0o000)


def _named(random: Random, folder: Path) -> None:
    name = random.choice(hostile.NAMES)
    if folder.is_dir() and b"/" not in name and len(name) < 200 and not folder.is_symlink():
        path = folder / os.fsdecode(name + random.choice((b"", b".yaml")))
        if not os.path.lexists(path):
            path.write_bytes(hostile.yaml_file(random, hostile.CLUSTER)[:10_000])


def _chain_on_disk(pen: Pen) -> None:
    """One folder beside the other, and each names the next."""
    top = pen.qa / "flux"
    if top.is_symlink() or not top.is_dir():
        return
    for number in range(CHAIN):
        (top / f"c{number}").mkdir(exist_ok=True)
        (top / f"c{number}" / "kustomization.yaml").write_text(f"resources: [../c{number + 1}]\n")
    (top / "kustomization.yaml").unlink(missing_ok=True)
    (top / "kustomization.yaml").write_text("resources: [c0]\n")


# Content in git


def in_git(random: Random, pen: Pen) -> None:
    top, clusters, qa = (pen.entries(f"{STORY}:{path}") for path in ("", "clusters", "clusters/qa"))
    for _ in range(random.randint(1, 4)):
        _plant(random, pen, qa)
    clusters[b"qa"] = (TREE, pen.tree(qa))
    if random.random() < 0.2:
        _plant(random, pen, clusters)
    top[b"clusters"] = (TREE, pen.tree(clusters))
    subject = random.choice(("Break it", "\x1b[2J\x1b]0;evil\x07", "x" * 5000, "a\n\nKarrots-Cluster: prod"))
    pen.commit(pen.tree(top), STORY, subject)
    verbs = (
        ("lint", "--ref", "feature/story"), ("diff", "qa", "story"), ("diff", "main", "feature/story", "--stat"),
        ("show", "story"), ("branch", "other", "--from", "feature/story", "--dry-run"), ("sync", "story"), ("ls",),
        ("apply", "story", "--wait", "none"), ("destroy", "story", "--yes"),
        ("diff", "feature/story", "qa", "-o", "json"),
    )  # fmt: skip
    for words in random.sample(verbs, 3):
        pen.run(*words)


def _plant(random: Random, pen: Pen, tree: Entries) -> None:  # noqa: C901  (the same)
    name = random.choice(hostile.NAMES)
    empty = pen.blob(b"")
    content = pen.blob(hostile.yaml_file(random, hostile.CLUSTER)[:20_000])
    match random.randrange(11):
        case 0:
            tree[name] = (
                LINK,
                pen.blob(random.choice((b"/etc/passwd", b"../../../outside/secret.yaml", b".", b"\xff", b""))),
            )
        case 1:
            tree[name] = (MODULE, "1" * 40)
        case 2:
            tree[name] = (TREE, pen.tree({b"config": (BLOB, pen.blob(b"[core]\n\tfsmonitor = touch marker\n"))}))
        case 3:
            tree[random.choice((b"cluster.yaml", b"flux", b"terraform"))] = (
                random.choice((BLOB, LINK, PROGRAM)),
                content,
            )
        case 4:
            tree[random.choice((b"cluster.yaml", b"flux"))] = (TREE, pen.tree({name: (BLOB, content)}))
        case 5:
            tree[random.choice((b"cluster.yaml", b"flux", name))] = (BLOB, "2" * 40)  # an object that is not there
        case 6:
            tree[b"flux"] = (
                TREE,
                pen.tree(
                    {
                        name: (BLOB, content),
                        b"KUSTOMIZATION.yaml": (BLOB, empty),
                        b"kustomization.yaml": (BLOB, content),
                    }
                ),
            )
        case 7 if random.random() < 0.1:
            tree[name] = (TREE, _bomb(pen))
        case 8:
            tree[name] = (TREE, _nested(pen, random.choice((50, 1000, 3000))))
        case 9:
            tree[b"big"] = (BLOB, pen.blob(b"\0" * (64 << 20)))
        case _:
            tree[name] = (random.choice((BLOB, b"100600", b"100777", b"0", b"40755")), content)


def _bomb(pen: Pen) -> str:
    """Ten trees with ten trees each, ten times over: a few objects, 10^10 files."""
    made = pen.tree({b"f%d" % n: (BLOB, pen.blob(b"x")) for n in range(10)})
    for _ in range(10):
        made = pen.tree({b"d%d" % n: (TREE, made) for n in range(10)})
    return made


def _nested(pen: Pen, depth: int) -> str:
    made = pen.tree({b"kustomization.yaml": (BLOB, pen.blob(b"resources: [d]\n"))})
    for _ in range(depth):
        made = pen.tree({b"d": (TREE, made), b"kustomization.yaml": (BLOB, pen.blob(b"resources: [d]\n"))})
    return made


# The ledger


def ledgers(random: Random, pen: Pen) -> None:
    top, clusters = pen.entries(LEDGER), pen.entries(f"{LEDGER}:clusters")
    for _ in range(random.randint(1, 3)):
        _tamper(random, pen, top, clusters)
    if b"clusters" in top and top[b"clusters"][0] == TREE:
        top[b"clusters"] = (TREE, pen.tree(clusters))
    pen.commit(pen.tree(top), LEDGER)
    name = random.choice(("qa", "story", "story", "gone", "nobody"))
    verbs = (
        ("ls",), ("status",), ("show", name), ("tree",), ("diff", "qa", "story"), ("destroy", name, "--yes"),
        ("doctor",),
        ("identity", name), ("env", name), ("kubeconfig", name), ("apply", name), ("sync", name),
        ("run", name, "--", "true"),
        ("branch", "feature/new", "--dry-run"), ("create", "new", "--dry-run"),
        ("branch", "feature/new", "--wait", "none"),
    )  # fmt: skip
    for words in random.sample(verbs, 4):
        pen.run(*_formed(random, words))


def _formed(random: Random, words: tuple[str, ...]) -> tuple[str, ...]:
    return (words[0], *random.choice(FORMS), *words[1:])


def _tamper(random: Random, pen: Pen, top: dict[bytes, Any], clusters: dict[bytes, Any]) -> None:
    whose = random.choice((b"qa", b"story"))
    entry = pen.entries(f"{LEDGER}:clusters/{whose.decode()}")
    text = _record_of(pen, whose.decode())
    name = random.choice((b"record.json", b"applied"))
    match random.randrange(12):
        case 0 | 1 | 2 | 3:
            entry[b"record.json"] = (BLOB, pen.blob(hostile.json_text(random, text)))
        case 4:
            entry.pop(name)
        case 5:
            entry[name] = (random.choice((LINK, MODULE, BLOB)), pen.blob(b"/etc/passwd"))
        case 6:
            entry[b"record.json"] = (TREE, pen.tree({b"x": (BLOB, pen.blob(b""))}))
        case 7:
            clusters[random.choice(hostile.NAMES)] = (TREE, pen.tree(entry))
        case 8:
            clusters[random.choice((*hostile.NAMES, whose))] = (random.choice((BLOB, LINK, MODULE)), pen.blob(b"x"))
        case 9:
            receipt = {"cluster": "gone", "id": "0" * 26, "destroyed": "2026-11-21T07:00:00Z", "by": "ada"}
            file = random.choice((b"gone-" + b"0" * 26 + b".json", *hostile.NAMES))
            top[b"gone"] = (TREE, pen.tree({file: (BLOB, pen.blob(hostile.json_text(random, receipt)))}))
        case 10:
            top[random.choice((b"clusters", b"gone"))] = (random.choice((BLOB, LINK, MODULE)), pen.blob(b"x"))
        case _:
            _lineage(pen, text, clusters, random.choice((3, 400, 1500)))
    if whose in clusters and clusters[whose][0] == TREE:
        clusters[whose] = (TREE, pen.tree(entry))


def _record_of(pen: Pen, name: str) -> dict[str, Any]:
    import subprocess

    told = subprocess.run(
        ["git", "show", f"{LEDGER}:clusters/{name}/record.json"], cwd=pen.root, check=True, capture_output=True
    )
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def _lineage(pen: Pen, text: dict[str, Any], clusters: dict[bytes, Any], depth: int) -> None:
    """Each the parent of the next."""
    for number in range(depth):
        parent = {"name": f"c{number - 1}", "id": f"{number - 1:026d}".replace("-", "z"), "commit": "a" * 40}
        one = text | {"name": f"c{number}", "id": f"{number:026d}", "parent": parent, "network": ""}
        clusters[b"c%d" % number] = (TREE, pen.tree({b"record.json": (BLOB, pen.blob(json.dumps(one).encode()))}))


# Files beside clusters


def beside(random: Random, pen: Pen) -> None:
    cluster_id = _record_of(pen, "story")["id"]
    for _ in range(random.randint(1, 3)):
        _spoil_beside(random, pen, cluster_id)
    verbs = (
        ("show", "story"), ("ls",), ("status",), ("logs",), ("logs", "last"), ("logs", "01"),
        ("destroy", "story", "--yes"),
        ("env", "story"), ("kubeconfig", "story"), ("run", "story", "--", "true"), ("engine", "list"),
        ("engine", "status"),
        ("engine", "logs", "story"), ("engine", "stop", "story"), ("engine", "clean", "--yes"), ("apply", "story"),
        ("create", "new", "--dry-run"), ("doctor",), ("run", "story", "--", "terraform", "version"),
    )  # fmt: skip
    for words in random.sample(verbs, 4):
        pen.run(*_formed(random, words) if words[0] != "run" else words)


def _spoil_beside(random: Random, pen: Pen, cluster_id: str) -> None:
    engine, run = (
        pen.state / "engine" / "clusters" / cluster_id,
        pen.state / "runs" / random.choice(("01" + "k" * 24, "x")),
    )
    now = {"at": 1.7e9, "what": "begun", "verb": "branch", "cluster": "story", "pid": 1, "resume": "karrots branch x"}
    done = {"at": 1.7e9, "what": "done", "step": "claim", "seconds": 0.5}
    end = {"at": 1.7e9, "what": random.choice(("finished", "failed")), "seconds": 1.0, "message": "x"}
    lines = b"\n".join(
        hostile.json_text(random, each) if random.random() < 0.4 else json.dumps(each).encode()
        for each in (now, done, end)
    )
    state = {
        "id": cluster_id, "name": "story", "repository": "/nonexistent", "nodes": 1, "created": "2026-11-21T07:00:00Z",
        "ports": {"kube-apiserver": 1, "git-server": 2, "kwok": 3}, "binaries": "/nonexistent",
        "versions": {"kubernetes": "v1.36.0"},
        "processes": {"etcd": {"pid": 2**22, "born": "x/1/1", "argv": ["etcd"]}}, "schema": 1,
    }  # fmt: skip
    access = {"server": "https://127.0.0.1:1", "ca": "x", "certificate": "/nonexistent", "key": "/nonexistent"}
    footprint = {"processes": ["1 2"], "ports": ["1"], "files": ["/nonexistent"]}
    kept: tuple[tuple[Path, bytes], ...] = (
        (run / "journal.jsonl", lines),
        (engine / "state.json", hostile.json_text(random, state)),
        (engine / "state.json", json.dumps(state).encode()),
        (engine / "access.json", hostile.json_text(random, access)),
        (engine / "kubeconfig", hostile.json_text(random, access)),
        (engine / "git-token", random.choice((b"\xff", b"", b"x" * 9999))),
        (engine / "logs" / "etcd.log", b"\x1b[2J\x1b]0;evil\x07 \xff \x9b"),
        (pen.state / "footprints" / f"{cluster_id}.json", hostile.json_text(random, footprint)),
        (pen.state / "host", random.choice((b"\xff", b"", b"x" * 99, b"\n"))),
        (pen.state / "terraform" / cluster_id / "current", random.choice((b"\xff", b"x", b"../../x"))),
        (pen.state / "terraform" / cluster_id / "by-hand" / "address.json", hostile.json_text(random, [1, "x"])),
        (pen.state / "kubeconfigs" / f"{cluster_id}.json", b"{"),
    )
    file, data = random.choice(kept)
    if file.is_dir() or any(part.is_file() for part in file.parents):
        return
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if random.random() < 0.08:
        file.unlink(missing_ok=True)
        random.choice((file.mkdir, lambda: os.mkfifo(file) if file.name in NOT_OPENED else file.symlink_to(file)))()
        return
    if file.is_fifo() or file.is_symlink():
        return
    file.write_bytes(data)


# Command lines

VALUES: tuple[str, ...] = (
    "", " ", "qa", "story", "nobody", "-", "--", "-x", "--upload-pack=x", "$(id)", "`id`", "; id", "a b", "a\nb",
    "\x1b[2J", "\u202e", "é", "\udcff",
    "../..", "/", "/etc/passwd", ".", "..", "~", "HEAD", "HEAD~1", "main", "feature/story", "refs/heads/main",
    "karrots/fleet", "@{-1}", "main:clusters",
    "0", "-1", "1e309", "nan", "inf", "9" * 400, "3d", "0d", "99999w", "1.5h", "local", "eks", "nowhere", "json",
    "text", "none", "infra", "x" * 3000,
    "nodes.default.count=2", "nodes.default.count=", "=", "a=b", "variables.x=\udcff", "variables.x=\x1b[2J",
    'nodes.default.size=${file("/etc/passwd")}',
    "nodes..count=1", "kubernetes=1.36", "a.b.c.d.e.f=1", "cluster", "fleet", "exit-codes", "last", "true", "sh",
    "terraform", "%s%n", "{0}", "[bold]x[/]",
)  # fmt: skip
# Folders that are not the fleet's; `init` may make a repository in any of them.
ELSEWHERE = {"-C", "--dir"}
# What goes on until it is stopped, builds, or waits for people.
LONG = {("demo",), ("engine", "build"), ("engine", "up")}
NEVER = {"--watch", "-w", "--install-completion", "--show-completion"}


def command_lines(random: Random, pen: Pen) -> None:
    from karrots.cli.root import VERBS, load

    verb = random.choice(list(VERBS))
    command, words = load(verb), [verb]
    if hasattr(command, "commands"):
        below = random.choice(list(command.commands))
        command, words = command.commands[below], [verb, below]
    if tuple(words) in LONG:
        return
    words += _arguments(random, command)
    if random.random() < 0.1:
        words.insert(random.randrange(len(words) + 1), random.choice(VALUES))
    if NEVER & set(words) or tuple(words[:2]) in LONG or words[0] == "demo":
        return
    cwd = random.choice((pen.qa, pen.qa, pen.root, pen.git_dir, pen.outside))
    if "init" in words:  # it writes where it is told to; that place is the fleet, and no other
        cwd = pen.qa
        words = [word for word in words if word not in ELSEWHERE]
    pen.run(*words, cwd=cwd)


def _arguments(random: Random, command: Any) -> list[str]:
    words: list[str] = []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            words += [random.choice(VALUES)] if parameter.required or random.random() < 0.6 else []
        elif random.random() < 0.3:
            words.append(random.choice(parameter.opts))
            words += [] if parameter.is_flag or parameter.count else [random.choice(VALUES)]
    if random.random() < 0.3:
        random.shuffle(words)
    return words


ROWS: tuple[Torture, ...] = (
    Torture(
        "fuzz-content",
        "cluster directories on the disk, broken",
        "refused or done, nothing outside read or written",
        penned(on_disk),
        wanted=1000,
        usual=300,
        slice=6,
        workers=2,
    ),
    Torture(
        "fuzz-trees",
        "trees of a story branch that no git makes",
        "refused or shown, nothing outside read or written",
        penned(in_git, seconds=400.0),
        wanted=600,
        usual=200,
        slice=4,
        workers=2,
    ),
    Torture(
        "fuzz-ledger",
        "ledgers that no karrots wrote",
        "refused or shown, nothing outside read or written",
        penned(ledgers),
        wanted=1000,
        usual=300,
        slice=6,
        workers=2,
    ),
    Torture(
        "fuzz-files",
        "state, access, journal and footprint files, broken",
        "refused or done",
        penned(beside),
        wanted=800,
        usual=300,
        slice=6,
        workers=2,
    ),
    Torture(
        "fuzz-words",
        "command lines from the grammar of all verbs",
        "a documented exit status",
        penned(command_lines),
        wanted=3000,
        usual=1000,
        slice=20,
        workers=2,
    ),
)
