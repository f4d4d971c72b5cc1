"""stdout is data, stderr is narration; every verb speaks every form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from karrots.cli.root import VERBS, load
from karrots.cli.texts import painted
from karrots.engine import folder
from karrots.engine.components import PORT_NAMES
from karrots.errors import ExitCode, KarrotsError
from karrots.fleet.record import Parent
from tests.cli.conftest import lines_of_json
from tests.support import repositories
from tests.support.records import record

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine, Fleet

# Verbs that answer without an engine, with the exit status they end with on the fleet below.
ANSWERING: dict[tuple[str, ...], ExitCode] = {
    ("ls",): ExitCode.DONE,
    ("status",): ExitCode.DONE,
    ("show", "qa"): ExitCode.DONE,
    ("tree",): ExitCode.DONE,
    ("diff", "qa", "story"): ExitCode.DONE,
    ("diff", "qa", "story", "--stat", "--exit-code"): ExitCode.DIFFERENCES,
    ("promote", "story", "--dry-run"): ExitCode.DONE,
    ("promote", "story", "--pr"): ExitCode.DONE,
    ("rebase", "story", "--dry-run"): ExitCode.DONE,
    ("rollback", "story", "--dry-run"): ExitCode.DONE,
    ("history", "qa"): ExitCode.DONE,
    ("logs",): ExitCode.DONE,
    ("lint",): ExitCode.DONE,
    ("fence", "qa"): ExitCode.DONE,
    ("fence", "story"): ExitCode.DONE,
    ("secrets", "qa"): ExitCode.DONE,
    ("secrets", "story"): ExitCode.DONE,
    ("render", "--check"): ExitCode.DONE,
    ("render",): ExitCode.DONE,
    ("services", "ls"): ExitCode.DONE,
    ("services", "show", "external-dns"): ExitCode.DONE,
    ("services", "enable", "--set", "minimal"): ExitCode.DONE,
    ("services", "disable", "kyverno"): ExitCode.DONE,
    ("services", "outdated"): ExitCode.DONE,
    ("identity", "qa"): ExitCode.DONE,
    ("schema", "cluster"): ExitCode.DONE,
    ("schema", "fleet"): ExitCode.DONE,
    ("help", "exit-codes"): ExitCode.DONE,
    ("help", "environment"): ExitCode.DONE,
    ("version",): ExitCode.DONE,
    ("engine", "list"): ExitCode.DONE,
    ("engine", "status"): ExitCode.DONE,
    ("engine", "clean"): ExitCode.DONE,
}
# JSON by itself, whatever form is asked for.
ALWAYS_JSON = ("schema",)
FAILING: tuple[tuple[str, ...], ...] = tuple(
    {
        "create": ("create", "Qa"), "branch": ("branch", "main"), "apply": ("apply", "none"), "sync": ("sync", "none"),
        "destroy": ("destroy", "none"), "env": ("env", "none"), "kubeconfig": ("kubeconfig", "none"),
        "token": ("token", "none"), "fence": ("fence", "qa", "--open", "CronJob"),
        "secrets": ("secrets", "none"),
        "diff": ("diff", "none", "qa"), "show": ("show", "none"), "logs": ("logs", "none"),
        "promote": ("promote", "none"), "rollback": ("rollback", "none"), "rebase": ("rebase", "qa"),
        "history": ("history", "none"),
        "identity": ("identity", "none"), "init": ("init", "--cluster", "Qa"), "lint": ("lint", "--ref", "none"),
        "services": ("services", "enable", "none"),
        "ls": ("ls", "--nonsense"), "help": ("help", "none"), "engine": ("engine", "stop", "none"),
        "schema": ("schema", "none"), "none": ("none",), "tree": ("tree", "too", "much"), "status": ("status", "-w"),
    }.values()
)  # fmt: skip


@pytest.mark.parametrize("words", ANSWERING, ids=" ".join)
def test_a_document_is_all_there_is_on_stdout(words: tuple[str, ...], peopled: Fleet, karrots: CommandLine) -> None:
    told = karrots(*words, "-o", "json", cwd=peopled.qa, expect=ANSWERING[words])
    document = json.loads(told.out)
    if words[0] not in ALWAYS_JSON:
        assert document["apiVersion"] == "karrots.dev/v1"
        assert document["kind"]
        other = yaml.safe_load(karrots(*words, "-o", "yaml", cwd=peopled.qa, expect=None).out)
        assert other.keys() == document.keys()
    lines_of_json(told.err)


@pytest.mark.parametrize("words", ANSWERING, ids=" ".join)
def test_people_get_text_and_scripts_names(words: tuple[str, ...], peopled: Fleet, karrots: CommandLine) -> None:
    text = karrots(*words, cwd=peopled.qa, expect=ANSWERING[words])
    assert text.out.endswith("\n")
    assert text.err == ""
    names = karrots(*words, "-o", "name", cwd=peopled.qa, expect=ANSWERING[words])
    if words[0] not in ALWAYS_JSON:
        assert all(line and not line.startswith(" ") for line in names.out.splitlines())
    assert names.err == ""


@pytest.mark.parametrize("words", FAILING, ids=" ".join)
def test_a_failure_is_a_document_too(words: tuple[str, ...], peopled: Fleet, karrots: CommandLine) -> None:
    told = karrots(*words, "-o", "json", cwd=peopled.qa, expect=None)
    assert told.status not in (ExitCode.DONE, ExitCode.BUG)
    document = told.document
    assert set(document) >= {"apiVersion", "kind", "code", "name", "message", "why", "hint", "log"}
    assert document["kind"] == "Error"
    assert document["code"] == told.status
    assert document["name"] in {kind.__name__ for kind in kinds(KarrotsError)}
    assert document["hint"]
    assert told.err == ""


def kinds(kind: type[KarrotsError]) -> set[type[KarrotsError]]:
    return {kind}.union(*(kinds(below) for below in kind.__subclasses__()))


def test_json_is_heard_in_every_spelling(fleet: Fleet, karrots: CommandLine) -> None:
    for words in (("-o", "json"), ("-ojson",), ("--output", "json"), ("--output=json",), ("-qo", "json"), ("-qojson",)):
        assert karrots("show", *words, "none", cwd=fleet.qa, expect=ExitCode.NOT_FOUND).document["kind"] == "Error"


def test_what_belongs_to_another_program_is_left_to_it(fleet: Fleet, karrots: CommandLine) -> None:
    for words in (("none", "--", "kubectl", "-o", "json", "-vv"), ("none", "kubectl", "-o", "json", "-vv")):
        told = karrots("run", *words, cwd=fleet.qa, expect=ExitCode.NOT_FOUND)
        assert told.out == ""
        assert "there is no cluster 'none'" in told.err
        assert "Traceback" not in told.err
    told = karrots("-C", str(fleet.qa), "run", "-o", "json", "none", "x", cwd=fleet.root, expect=ExitCode.NOT_FOUND)
    assert told.document["kind"] == "Error"


@pytest.mark.parametrize("loud", [("-vv",), ("-v", "-v"), ("-qvv",), ("--verbose", "--verbose")], ids=" ".join)
def test_a_traceback_with_vv(loud: tuple[str, ...], fleet: Fleet, karrots: CommandLine) -> None:
    told = karrots("show", "none", *loud, cwd=fleet.qa, expect=ExitCode.NOT_FOUND)
    assert "Traceback" in told.err
    assert "there is no cluster 'none'" in told.err


@pytest.mark.parametrize("calm", [(), ("-v",), ("-q",), ("-o", "yaml")], ids=" ".join)
def test_no_traceback_without(calm: tuple[str, ...], fleet: Fleet, karrots: CommandLine) -> None:
    told = karrots("show", "none", *calm, cwd=fleet.qa, expect=ExitCode.NOT_FOUND)
    assert told.out == ""
    assert "Traceback" not in told.err
    assert told.err.startswith("✘ there is no cluster 'none'")


def test_quiet_says_warnings_and_errors_only(fleet: Fleet, karrots: CommandLine) -> None:
    (fleet.qa / "notes.txt").write_text("not committed\n")
    told = karrots("create", "-q", cwd=fleet.qa, expect=ExitCode.PREFLIGHT_FAILED)
    first, *following = told.err.splitlines()
    assert first.startswith("! uncommitted changes")
    assert following[0].startswith("✘ 'qa' cannot be brought up yet")


def test_narration_is_one_document_a_line(fleet: Fleet, karrots: CommandLine) -> None:
    told = karrots("create", "-o", "json", cwd=fleet.qa, expect=ExitCode.PREFLIGHT_FAILED)
    assert [line["event"] for line in lines_of_json(told.err)] == ["OperationStarted", "StepStarted", "StepFailed"]
    assert told.document["log"]


def test_a_dry_run_ends_as_the_real_run_would(fleet: Fleet, karrots: CommandLine) -> None:
    before = fleet.picture()
    real = karrots("create", "-o", "json", cwd=fleet.qa, expect=ExitCode.PREFLIGHT_FAILED).document
    dry = karrots("create", "--dry-run", "-o", "json", cwd=fleet.qa, expect=ExitCode.PREFLIGHT_FAILED).document
    assert dry["why"] == real["why"]
    assert fleet.picture() == before


def test_what_is_set_for_one_cluster_is_no_stale_rendering(fleet: Fleet, karrots: CommandLine) -> None:
    """terraform/ is compared with what is committed, and --set is not."""
    words = ("create", "--dry-run", "--set", "nodes.default.count=3", "-o", "json")
    told = karrots(*words, cwd=fleet.qa, expect=ExitCode.PREFLIGHT_FAILED).document
    assert "renders to" not in told["why"]


def test_exit_codes_are_all_explained(fleet: Fleet, karrots: CommandLine) -> None:
    told = karrots("help", "exit-codes", "-o", "json", cwd=fleet.qa).document
    assert {int(code) for code in told["entries"]} == set(ExitCode)


def test_differences_and_lint_errors_end_with_one(peopled: Fleet, karrots: CommandLine) -> None:
    karrots("diff", "qa", "story", cwd=peopled.qa)
    karrots("diff", "qa", "qa", "--exit-code", cwd=peopled.qa)
    karrots("diff", "qa", "story", "--exit-code", cwd=peopled.qa, expect=ExitCode.DIFFERENCES)
    (peopled.qa / "terraform/main.tf").write_text("# by hand\n")
    karrots("render", "--check", cwd=peopled.qa, expect=ExitCode.DIFFERENCES)
    karrots("lint", cwd=peopled.qa, expect=ExitCode.DIFFERENCES)
    assert (peopled.qa / "terraform/main.tf").read_text() == "# by hand\n"


def test_names_that_are_not_text_pass_through(fleet: Fleet, karrots: CommandLine) -> None:
    """A file name in Latin-1 in git neither stops a diff nor makes its document unreadable."""
    name = b"clusters/qa/flux/na\xefve\x1b[2J.yaml"
    blob = fleet.git("hash-object", "-w", "karrots.yaml")
    fleet.git("switch", "--quiet", "--create", "odd")
    add_to_index(fleet, name, blob)
    fleet.git("commit", "--quiet", "--message", "An odd name")
    told = karrots("diff", "main", "odd", "-o", "json", cwd=fleet.root)
    assert len(told.document["files"]) == 1
    for form in ("text", "yaml", "name"):
        assert "\x1b" not in karrots("diff", "main", "odd", "-o", form, cwd=fleet.root).out


def add_to_index(fleet: Fleet, name: bytes, blob: str) -> None:
    import subprocess

    line = f"100644 {blob}\t".encode() + name + b"\0"
    subprocess.run(["git", "update-index", "-z", "--index-info"], cwd=fleet.root, input=line, check=True)


def test_records_cannot_steer_the_terminal(fleet: Fleet, karrots: CommandLine) -> None:
    evil = "\x1b[2J\u202eevil"
    fleet.known("story", branch=f"feature/{evil}", owner=evil, created=evil, kubernetes=evil, domain=evil)
    for words in (("ls",), ("show", "story"), ("status",), ("tree",), ("create", "story"), ("ls", "-o", "yaml")):
        told = karrots(*words, cwd=fleet.qa, expect=None)
        assert told.status != ExitCode.BUG, told.err
        assert not {"\x1b", "\u202e"}.intersection(told.out + told.err)


@pytest.mark.parametrize("created", ["2026-11-21", "yesterday", "", "2026-11-21T07:00:00"])
def test_a_time_that_is_none_is_shown_as_unknown(created: str, fleet: Fleet, karrots: CommandLine) -> None:
    fleet.known("story", created=created)
    assert " ?" in karrots("ls", cwd=fleet.qa).out


def test_a_thousand_clusters(fleet: Fleet, karrots: CommandLine) -> None:
    from karrots.fleet.record import to_json

    names = [f"c{number:04}" for number in range(1000)]
    texts = {f"clusters/{name}/record.json": to_json(record(name)) for name in names}
    blobs = "".join(f"M 100644 inline {path}\ndata {len(text)}\n{text}\n" for path, text in texts.items())
    head = "commit refs/heads/karrots/fleet\ncommitter Ada <ada@example.com> 1795000000 +0000\ndata 0\n"
    repositories.git(fleet.root, "fast-import", "--quiet", stdin=head + blobs)
    assert karrots("ls", "-o", "name", cwd=fleet.qa).out.splitlines() == names
    listed = karrots("ls", "-o", "json", cwd=fleet.qa).document["clusters"]
    assert [row["name"] for row in listed] == names
    lines = karrots("ls", cwd=fleet.qa).out.splitlines()
    assert len(lines) == 1001
    assert lines[0].split() == ["NAME", "BRANCH", "PARENT", "BEHIND", "PHASE", "CONTENT", "AGE", "EXPIRES"]
    assert all(line.startswith(f"{name}  feature/{name}  ") for line, name in zip(lines[1:], names, strict=True))


def test_a_ledger_written_by_hand_may_go_round_in_circles(fleet: Fleet, karrots: CommandLine) -> None:
    from karrots.fleet.record import new_id

    one, two = new_id(), new_id()
    fleet.known("one", id=one, parent=Parent(name="two", id=two, commit=""))
    fleet.known("two", id=two, parent=Parent(name="one", id=one, commit=""))
    assert sorted(karrots("tree", "-o", "name", cwd=fleet.qa).out.split()) == ["one", "two"]


GROUPS = ("engine", "flux", "services")


def every_command() -> list[tuple[str, ...]]:
    below = ((group, name) for group in GROUPS for name in sorted(load(group).commands))
    return [*((verb,) for verb in VERBS), *below]


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...], tmp_path: Path, karrots: CommandLine) -> None:
    told = karrots(*words, "--help", cwd=tmp_path)
    assert told.out == karrots(*words, "-h", cwd=tmp_path).out
    assert "Usage: karrots " in told.out
    assert told.err == ""
    if words not in {(group,) for group in GROUPS}:
        assert "Examples" in told.out
        assert "karrots " in told.out.partition("Examples")[2]
        for option in ("--dir", "--output", "--quiet", "--verbose", "--no-input"):
            assert option in told.out


def test_a_verb_that_is_not_there_is_guessed(tmp_path: Path, karrots: CommandLine) -> None:
    told = karrots("brnch", cwd=tmp_path, expect=ExitCode.USAGE)
    assert "did you mean 'branch'?" in told.err
    assert "\x1b" not in karrots("\x1b[2J", cwd=tmp_path, expect=ExitCode.USAGE).err


def test_no_word_at_all_shows_the_verbs(tmp_path: Path, karrots: CommandLine) -> None:
    told = karrots(cwd=tmp_path, expect=ExitCode.USAGE)
    assert all(f" {name} " in told.out for name, verb in VERBS.items() if not verb.hidden)
    assert told.err == ""


def test_content_cannot_steer_the_terminal_with_or_without_colour(
    peopled: Fleet, karrots: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    peopled.git("switch", "--quiet", "feature/story")
    peopled.commit({"clusters/qa/flux/x.yaml": "a: \x1b[8mhidden\x1b[2J\x9b\u202e\n"})
    plain = karrots("diff", "qa", "story", cwd=peopled.qa).out
    assert "+a: [8mhidden[2J\n" in plain
    assert not set("\x1b\x9b\u202e") & set(plain)
    assert "\x1b[32m+a: [8mhidden[2J\x1b[m\n" in painted(plain)


def test_logs_of_clusters_cannot_steer_the_terminal(fleet: Fleet, karrots: CommandLine) -> None:
    place = folder.of("01a")
    place.prepare()
    place.save(folder.State("01a", "qa\x1b[2J", "/x", 1, dict.fromkeys(PORT_NAMES, 9), "2026-11-21T07:00:00Z"))
    place.log("etcd").write_text("\x1b]0;title\x07said\n")
    assert karrots("engine", "logs", "01a", cwd=fleet.qa).out == "etcd: ]0;titlesaid\n"
    assert "\x1b" not in karrots("engine", "status", "01a", cwd=fleet.qa).out
