"""Ways in: every case tries to run a command, to read a file outside, or to write one, through a place for data.

Whose configuration is whose: `.git/config`, hooks and the environment are the user's own, and git runs what they name
when git itself needs it (core.sshCommand for an ssh remote, credential helpers). What karrots does not need is off:
hooks, fsmonitor, external diffs and text conversions, submodules, the `ext::` protocol. Everything that arrives by a
clone (content, the ledger, names, attributes) must stay data.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from tests.support import repositories
from tests.torture.cage import Picture
from tests.torture.frame import Torture, Wrong
from tests.torture.pen import BLOB, LEDGER, LINK, SECRET, STORY, TREE, penned_by_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.torture.pen import Pen

CORE = "TOUCH"  # in a case's text: the path of the file that must never be there
READ = "READ"  # the path of the file that must never be read


@dataclass(frozen=True)
class Try:
    """One way in; `name` tells it apart, `attempt` does all that a careless user would do with it."""

    name: str
    attempt: Callable[[Pen], None]


def armed(pen: Pen, text: str) -> str:
    return text.replace(CORE, str(pen.outside / "marker")).replace(READ, str(pen.outside / "secret.yaml"))


# Names, refs and addresses, on the command line

COMMANDS = (
    "$(touch TOUCH)",
    "`touch TOUCH`",
    "; touch TOUCH",
    "| touch TOUCH",
    "& touch TOUCH",
    "\ntouch TOUCH\n",
    "x;touch${IFS}TOUCH",
)
OPTIONS = (
    "--upload-pack=touch TOUCH", "--receive-pack=touch TOUCH", "--exec=touch TOUCH", "-oProxyCommand=touch TOUCH",
    "--output=TOUCH",
    "-c core.sshCommand=touch", "--config=core.fsmonitor=touch TOUCH", "--work-tree=TOUCH", "--git-dir=TOUCH",
    "-uTOUCH", "--file=READ",
    "--template=TOUCH", "-F READ", "--pathspec-from-file=READ", "--exclude-from=READ", "--no-index",
    "--open-files-in-pager=touch TOUCH",
)  # fmt: skip
PATHS = (
    "../../outside/secret.yaml",
    "READ",
    "../../../outside/folder",
    "/etc/passwd",
    "file://READ",
    "~/../../etc/passwd",
    "@READ",
    ":READ",
    "HEAD:READ",
)
HCL = (
    '${file("READ")}', '%{ for x in fileset("/", "etc") }${x}%{ endfor }', '${templatefile("READ", {})}',
    "${path.root}", "${var.engine_home}",
    '${filebase64("READ")}', '$${file("READ")}', "%%{ if true }",
    '"}\nprovisioner "local-exec" { command = "touch TOUCH" }\n#', "${jsonencode(var.nodes)}",
)  # fmt: skip
YAML = (
    "!!python/object/apply:os.system ['touch TOUCH']", "!!python/object/new:os.system ['touch TOUCH']",
    "!!python/name:os.system", "!include READ",
    "!!binary Zg==", "!!python/module:os", "!ENV ${HOME}", "*missing", "{<<: !!python/object/apply:os.getcwd []}",
    "!vault READ", "!!js/function 'x'",
)  # fmt: skip
ESCAPES = (
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x1b[31m",
    "\x9b2J",
    "\r",
    "\x08\x08",
    "\u202e",
    "\u2066",
    "\x1b]8;;http://x\x1b\\",
    "\x1bP+q\x1b\\",
    "\x07",
    "\x7f",
)
TRAILERS = (
    "\n\nKarrots-Cluster: prod\n",
    "\nKarrots-Operation: x",
    "\r\nKarrots-Verb: destroy",
    "\n---\n",
    "\n[core]\n\tfsmonitor = touch TOUCH\n",
)
TEXTS = (*COMMANDS, *OPTIONS, *PATHS, *HCL, *YAML, *ESCAPES, *TRAILERS)

# Where a user's words go; W stands for the word.
PLACES: tuple[tuple[str, ...], ...] = (
    ("branch", "--wait", "none", "--", "W"), ("branch", "feature/x", "--wait", "none", "--", "W"),
    ("branch", "feature/x", "--from", "W", "--dry-run"),
    ("create", "--wait", "none", "--", "W"), ("diff", "--", "W", "qa"), ("lint", "--ref", "W"), ("show", "--", "W"),
    ("destroy", "--yes", "--", "W"),
    ("create", "x", "--dry-run", "--set", "variables.x=W"), ("create", "x", "--dry-run", "--set", "W=1"),
    ("init", "--cluster", "W"), ("init", "--domain", "W"),
    ("identity", "--", "W"), ("env", "--", "W"), ("logs", "--", "W"), ("engine", "logs", "--", "W"),
    ("create", "x", "--on", "W", "--dry-run"),
    ("create", "x", "--ttl", "W", "--dry-run"),
)  # fmt: skip


def words(place: tuple[str, ...], text: str) -> Callable[[Pen], None]:
    def attempt(pen: Pen) -> None:
        word = armed(pen, text)
        pen.run(*(part.replace("W", word) for part in place))

    return attempt


# Values in files: cluster.yaml, karrots.yaml, manifests

FIELDS = (
    "provider",
    "kubernetes",
    "nodes.default.size",
    "nodes.default.count",
    "flux.version",
    "flux.interval",
    "variables.x",
    "terraform",
    "nodes.W.count",
)
FLEET_FIELDS = ("domain", "git.remote", "addresses.pool", "policies.ttl", "policies.protected", "providers.eks.region")


def in_file(name: str, field: str, text: str, *, plain: bool) -> Callable[[Pen], None]:
    """`plain`: written as it is, so that YAML reads it; otherwise as a quoted text."""

    def attempt(pen: Pen) -> None:
        import yaml

        file = pen.root / name
        value = yaml.safe_load(file.read_text())
        node, word = value, armed(pen, text)
        *groups, last = (word if part == "W" else part for part in field.split("."))
        for group in groups:
            node = node.setdefault(group, {}) or {}
        node[last] = "PLAIN" if plain else word
        written = yaml.safe_dump(value, allow_unicode=True).replace("PLAIN", word)
        file.write_text(written, "utf-8")
        for verb in (("lint",), ("render",), ("eject",), ("create", "x", "--dry-run"), ("ls",)):
            pen.run(*verb)

    return attempt


# What a clone brings: links, attributes, nested repositories, kubeconfigs, the ledger

LINKS = (
    "clusters/qa/cluster.yaml", "karrots.yaml", "clusters/qa/terraform", "clusters/qa/terraform/main.tf",
    "clusters/qa/terraform/identity.auto.tfvars.json",
    "clusters/qa/flux", "clusters/qa/flux/apps", "clusters/qa/flux/kustomization.yaml", "clusters/qa/kubeconfig",
    "clusters", "clusters/qa",
    "clusters/cluster.schema.json", ".gitignore", "clusters/qa/terraform/.terraform",
    "clusters/qa/terraform/errored.tfstate",
)  # fmt: skip
TARGETS = ("outside/secret.yaml", "outside/folder", "outside", "nothing")
LOOKS = (
    ("lint",),
    ("lint", "--fix"),
    ("render",),
    ("eject",),
    ("identity", "qa", "--write"),
    ("create", "x", "--dry-run"),
    ("init", "--cluster", "qa"),
)


def linked(path: str, target: str) -> Callable[[Pen], None]:
    def attempt(pen: Pen) -> None:
        place = pen.root / path
        if place.is_dir():
            shutil.rmtree(place)
        place.unlink(missing_ok=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(pen.folder / target)
        for verb in LOOKS:
            # Who stands in a folder and says `init` means that folder, wherever it is.
            pen.run(*verb, cwd=pen.qa if pen.qa.is_dir() and verb[0] != "init" else pen.root)

    return attempt


def committed_link(path: str, target: str) -> Callable[[Pen], None]:
    """The same in git, on the story's branch, where an ejected directory has its Terraform."""

    def attempt(pen: Pen) -> None:
        qa = pen.entries(f"{STORY}:clusters/qa")
        folder, _, name = path.removeprefix("clusters/qa/").rpartition("/")
        link = (LINK, pen.blob(os.fsencode(str(pen.folder / target))))
        if folder:
            below = pen.entries(f"{STORY}:clusters/qa/{folder}") if folder.encode() in qa else {}
            qa[folder.split("/")[0].encode()] = (TREE, pen.tree(below | {name.encode(): link}))
        else:
            qa[name.encode()] = link
        publish(pen, qa)

    return attempt


def publish(pen: Pen, qa: dict[bytes, tuple[bytes, str]]) -> None:
    top, clusters = pen.entries(STORY), pen.entries(f"{STORY}:clusters")
    clusters[b"qa"] = (TREE, pen.tree(qa))
    top[b"clusters"] = (TREE, pen.tree(clusters))
    pen.commit(pen.tree(top), STORY)
    for verb in (
        ("lint", "--ref", "feature/story"),
        ("diff", "qa", "story"),
        ("apply", "story"),
        ("destroy", "story", "--yes"),
    ):
        pen.run(*verb)


NAMES = (".git/hooks/post-checkout", ".GIT/config", "..", ".", "a/../../b", "\\..\\x", ".gitmodules", ".git", "git~1")


def named(name: str) -> Callable[[Pen], None]:
    """A name in a committed, ejected terraform/ that leads out of a run's folder."""

    def attempt(pen: Pen) -> None:
        qa = pen.entries(f"{STORY}:clusters/qa")
        text = (pen.qa / "cluster.yaml").read_text().replace("terraform: rendered", "terraform: ejected")
        qa[b"cluster.yaml"] = (BLOB, pen.blob(text.encode()))
        made = (BLOB, pen.blob(b"touched"))
        for part in reversed(name.encode().split(b"/")):
            made = (TREE, pen.tree({part: made}))
        qa[b"terraform"] = made
        publish(pen, qa)

    return attempt


CONFIGS = (
    "[core]\n\tfsmonitor = touch TOUCH\n", "[core]\n\thooksPath = HOOKS\n", "[diff]\n\texternal = touch TOUCH\n",
    '[diff "x"]\n\ttextconv = touch TOUCH;\n',
    '[diff "x"]\n\tcommand = touch TOUCH\n', "[core]\n\tpager = touch TOUCH\n[pager]\n\tdiff-tree = touch TOUCH\n",
    "[core]\n\teditor = touch TOUCH\n",
    "[gc]\n\tauto = 1\n[gc]\n\tpruneExpire = now\n", "[submodule]\n\trecurse = true\n",
    "[core]\n\tsshCommand = touch TOUCH\n", "[core]\n\tgitProxy = touch TOUCH\n",
    '[alias]\n\tls-tree = "!touch TOUCH"\n\trev-parse = "!touch TOUCH"\n', "[sequence]\n\teditor = touch TOUCH\n",
    "[core]\n\taskPass = touch TOUCH\n",
)  # fmt: skip


def configured(text: str, verb: tuple[str, ...]) -> Callable[[Pen], None]:
    """In `.git/config`; a copy of a folder brings it along. No verb that needs no remote may run any of it."""

    def attempt(pen: Pen) -> None:
        hooks = pen.root / "hooks"
        hooks.mkdir()
        for name in (
            "pre-commit",
            "post-commit",
            "reference-transaction",
            "post-checkout",
            "pre-push",
            "post-index-change",
        ):
            (hooks / name).write_text(armed(pen, "#!/bin/sh\ntouch TOUCH\n"))
            (hooks / name).chmod(0o755)
        shutil.copytree(hooks, pen.git_dir / "hooks", dirs_exist_ok=True)
        with (pen.git_dir / "config").open("a") as file:
            file.write(armed(pen, text).replace("HOOKS", str(hooks)))
        (pen.root / ".gitattributes").write_text("* diff=x filter=y merge=z\n")
        (pen.qa / "flux" / "new.yaml").write_text("a: b\n")
        pen.run(*verb)

    return attempt


REMOTES = (
    "ext::sh -c 'touch TOUCH'", "ext::sh -c touch% TOUCH", "-uTOUCH", "--upload-pack=touch TOUCH",
    "ssh://-oProxyCommand=touch TOUCH/x", "ssh://x;touch TOUCH/",
    "-oProxyCommand=touch TOUCH:x", "fd::17/foo", "file:///nonexistent\n[core]\n\tfsmonitor=touch TOUCH",
    "http://127.0.0.1:1/`touch TOUCH`", "git://x/$(touch TOUCH)",
    "hg::READ", "testgit::READ", "::touch TOUCH", "/nonexistent; touch TOUCH", "user@-oProxyCommand=touch TOUCH:x",
    "[-oProxyCommand=touch TOUCH]:x",
)  # fmt: skip


def remoted(address: str, verb: tuple[str, ...]) -> Callable[[Pen], None]:
    def attempt(pen: Pen) -> None:
        repositories.git(pen.root, "config", "remote.origin.url", armed(pen, address))
        pen.run(*verb)

    return attempt


def owned(email: str) -> Callable[[Pen], None]:
    """Who git says the user is goes into the record, Terraform's variables and what others read."""

    def attempt(pen: Pen) -> None:
        os.environ["GIT_AUTHOR_EMAIL"] = armed(pen, email).replace("\0", "")
        try:
            pen.run("create", "mine", "--wait", "none")
            for verb in (("ls",), ("show", "mine"), ("identity", "mine"), ("tree",)):
                pen.run(*verb)
        finally:
            os.environ["GIT_AUTHOR_EMAIL"] = "ada@example.com"
        log = repositories.git(pen.root, "log", "-1", "--format=%(trailers:only,unfold)", "karrots/fleet")
        if any("prod" in line or "destroy" in line for line in log.splitlines()):
            raise Wrong(f"a trailer was brought in: {log}")

    return attempt


RECORD_FIELDS = (
    "branch",
    "directory",
    "owner",
    "domain",
    "network",
    "region",
    "host",
    "provider",
    "created",
    "expires",
    "kubernetes",
)


def recorded(field: str, text: str) -> Callable[[Pen], None]:
    """A ledger that somebody else wrote."""

    def attempt(pen: Pen) -> None:
        top, clusters = pen.entries(LEDGER), pen.entries(f"{LEDGER}:clusters")
        story = pen.entries(f"{LEDGER}:clusters/story")
        data = json.loads(repositories.git(pen.root, "show", f"{LEDGER}:clusters/story/record.json"))
        data[field] = armed(pen, text)
        story[b"record.json"] = (BLOB, pen.blob(json.dumps(data).encode()))
        clusters[b"story"] = (TREE, pen.tree(story))
        top[b"clusters"] = (TREE, pen.tree(clusters))
        pen.commit(pen.tree(top), LEDGER)
        for verb in (
            ("ls",),
            ("show", "story"),
            ("diff", "qa", "story"),
            ("identity", "story", "--write"),
            ("destroy", "story", "--yes"),
        ):
            pen.run(*verb)

    return attempt


EXEC = """apiVersion: v1
kind: Config
users:
  - name: x
    user: {exec: {command: touch, args: [TOUCH], apiVersion: client.authentication.k8s.io/v1}}
"""
KUBECONFIGS = (
    "clusters/qa/kubeconfig",
    "clusters/qa/.kube/config",
    "kubeconfig",
    ".kube/config",
    "clusters/qa/flux/kubeconfig.yaml",
    "clusters/qa/terraform/kubeconfig",
)


def kubeconfigured(path: str, verb: tuple[str, ...]) -> Callable[[Pen], None]:
    def attempt(pen: Pen) -> None:
        (pen.root / path).parent.mkdir(parents=True, exist_ok=True)
        (pen.root / path).write_text(armed(pen, EXEC))
        pen.run(*verb)

    return attempt


def subject(text: str) -> Callable[[Pen], None]:
    """Commit subjects, authors and file names of content, where they are shown."""

    def attempt(pen: Pen) -> None:
        qa = pen.entries(f"{STORY}:clusters/qa")
        name = armed(pen, text).replace("/", "_").replace("\n", "_").encode()[:200]
        qa[b"x" + name] = (BLOB, pen.blob(armed(pen, text).encode()))
        top, clusters = pen.entries(STORY), pen.entries(f"{STORY}:clusters")
        clusters[b"qa"] = (TREE, pen.tree(qa))
        top[b"clusters"] = (TREE, pen.tree(clusters))
        pen.commit(pen.tree(top), STORY, armed(pen, text))
        for verb in (
            ("diff", "qa", "story"),
            ("diff", "qa", "story", "--stat"),
            ("branch", "feature/story"),
            ("show", "story"),
            ("lint", "--ref", "feature/story"),
        ):
            pen.run(*verb)

    return attempt


def tries() -> Iterator[Try]:
    for place, text in itertools.product(PLACES, TEXTS):
        yield Try(f"{' '.join(place[:2])} {text!r}", words(place, text))
    for field, text in itertools.product(FIELDS, (*HCL, *YAML, *COMMANDS[:3], *PATHS[:3], *ESCAPES[:4])):
        yield Try(
            f"cluster.yaml {field} {text!r}", in_file("clusters/qa/cluster.yaml", field, text, plain=text in YAML)
        )
    for field, text in itertools.product(FLEET_FIELDS, (*HCL[:4], *YAML, *OPTIONS[:5], *COMMANDS[:3])):
        yield Try(f"karrots.yaml {field} {text!r}", in_file("karrots.yaml", field, text, plain=text in YAML))
    for path, target in itertools.product(LINKS, TARGETS):
        yield Try(f"link {path} to {target}", linked(path, target))
        if path.startswith("clusters/qa/"):
            yield Try(f"committed link {path} to {target}", committed_link(path, target))
    yield from (Try(f"name {name}", named(name)) for name in NAMES)
    for config, verb in itertools.product(
        CONFIGS,
        (
            ("ls",),
            ("diff", "qa", "story"),
            ("branch", "feature/n", "--wait", "none"),
            ("init", "--cluster", "new"),
            ("show", "qa"),
        ),
    ):
        yield Try(f"config {config!r} {verb[0]}", configured(config, verb))
    for address, verb in itertools.product(
        REMOTES, (("ls", "--fetch"), ("branch", "feature/n", "--wait", "none"), ("create", "n", "--dry-run"))
    ):
        yield Try(f"remote {address!r} {verb[0]}", remoted(address, verb))
    yield from (Try(f"owner {text!r}", owned(text)) for text in (*HCL, *COMMANDS, *ESCAPES, *TRAILERS))
    for field, text in itertools.product(
        RECORD_FIELDS, (*OPTIONS[:8], *PATHS[:4], *HCL[:3], *COMMANDS[:3], *ESCAPES[:5], *TRAILERS[:2])
    ):
        yield Try(f"record {field} {text!r}", recorded(field, text))
    for path, verb in itertools.product(
        KUBECONFIGS, (("show", "qa"), ("env", "qa"), ("status",), ("run", "qa", "--", "true"), ("lint",))
    ):
        yield Try(f"kubeconfig {path} {verb[0]}", kubeconfigured(path, verb))
    yield from (Try(f"subject {text!r}", subject(text)) for text in (*ESCAPES, *TRAILERS, *COMMANDS, *HCL[:2]))


CORPUS: tuple[Try, ...] = tuple(tries())
ORDER = Random(4).sample(range(len(CORPUS)), len(CORPUS))


def one(number: int, pen: Pen) -> None:
    """The corpus in a mixed order, so that a slice of it has something of each kind."""
    case = CORPUS[ORDER[number % len(CORPUS)]]
    before = Picture.of(pen.folder / "pattern")
    try:
        case.attempt(pen)
    except Wrong as wrong:
        raise Wrong(f"{case.name}: {wrong}") from wrong
    leaked = [p for p in _rendered(pen) if SECRET.encode() in p.read_bytes()]
    if leaked:
        raise Wrong(f"{case.name}: what is in a file outside was copied to {leaked[0]}")
    if (pen.outside / "marker").exists() or before.changes(Picture.of(pen.folder / "pattern")):
        raise Wrong(f"{case.name}: it ran a command, or wrote outside")


def _rendered(pen: Pen) -> Iterator[Path]:
    for folder in (pen.qa, pen.state):
        if folder.is_dir():
            yield from (
                p for p in folder.rglob("*") if p.is_file() and not p.is_symlink() and "outside" not in str(p.resolve())
            )


ROWS: tuple[Torture, ...] = (
    Torture(
        "injection", "names, refs, addresses, values, tags, links, configuration, records",
        "no command run, nothing read or written outside",
        penned_by_number(one), wanted=len(CORPUS), usual=400, slice=12, workers=2,
    ),
)  # fmt: skip
