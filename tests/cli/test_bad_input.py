"""Bad input gets a clear error with the next command, its exit code, and changes nothing."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from karrots.errors import ExitCode
from tests.support import repositories

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine, Fleet, Refusal

NEEDS_A_REPOSITORY = (
    ("create",), ("branch", "feature/x"), ("apply",), ("sync",), ("destroy", "qa"), ("ls",), ("status",),
    ("show", "qa"), ("tree",), ("diff", "a", "b"), ("lint",), ("render",), ("eject",), ("identity",), ("env",),
    ("kubeconfig",), ("run", "qa", "--", "true"), ("fence",), ("secrets",), ("rehearse",),
)  # fmt: skip
NEEDS_A_DIRECTORY = (
    ("create",), ("branch", "feature/x"), ("apply",), ("sync",), ("destroy",), ("show",), ("lint",), ("render",),
    ("eject",), ("identity",), ("env",), ("kubeconfig",), ("fence",), ("secrets",), ("rehearse",),
)  # fmt: skip

HOSTILE_BRANCHES = (
    "$(id)", "`id`", "../x", "a..b", "x;y", "a b", "-x", "--upload-pack=x", "n" * 300, "großartig", "\u202eevil",
    "\x1b[2Jx", "a\nb", "a\x7f", "/x", "x/", "x//y", ".x", "x.lock", "@{-1}", "HEAD", "karrots/fleet", "refs/heads/x",
    "a" * 40, "x:y", "x~1", "x^", "x?", "x*", "x[", "x\\y", "", " ",
)  # fmt: skip
HOSTILE_NAMES = (
    "--upload-pack=x", "$(id)", "../x", "n" * 300, "n" * 29, "großartig", "Qa", "1qa", "-qa", "qa-", "qa.prod", "q a",
    "qa\n", "\x1b[2Jqa", "qa\u202e", "", "qa/x", "qa_x",
)  # fmt: skip


@pytest.mark.parametrize("words", NEEDS_A_REPOSITORY, ids=" ".join)
def test_outside_a_git_repository(words: tuple[str, ...], tmp_path: Path, refused: Refusal) -> None:
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    told = refused(*words, cwd=outside, code=ExitCode.USAGE)
    assert "is not in a git repository" in told.err
    assert "git init" in told.err
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("words", [("create",), ("ls",), ("init",)], ids=" ".join)
def test_a_bare_repository(words: tuple[str, ...], tmp_path: Path, refused: Refusal) -> None:
    bare = tmp_path / "shared.git"
    repositories.git(tmp_path, "init", "--quiet", "--bare", str(bare))
    before = sorted(bare.rglob("*"))
    told = refused(*words, cwd=bare, code=ExitCode.USAGE)
    assert "bare git repository" in told.err
    assert "git clone" in told.err
    assert sorted(bare.rglob("*")) == before


@pytest.mark.parametrize("words", [("create",), ("init", "--cluster", "two")], ids=" ".join)
def test_inside_the_git_folder(words: tuple[str, ...], fleet: Fleet, refused: Refusal) -> None:
    told = refused(*words, cwd=fleet.root / ".git", code=ExitCode.USAGE)
    assert "lies inside a .git folder" in told.err


@pytest.mark.parametrize("words", NEEDS_A_DIRECTORY, ids=" ".join)
def test_outside_a_cluster_directory(words: tuple[str, ...], fleet: Fleet, refused: Refusal) -> None:
    told = refused(*words, cwd=fleet.root, code=ExitCode.NOT_FOUND)
    assert "is not in a cluster directory" in told.err
    assert "cd clusters/qa" in told.err


def test_a_repository_that_is_no_fleet(tmp_path: Path, karrots: CommandLine) -> None:
    root = tmp_path / "plain"
    repositories.repository(root, {"README": "nothing\n"})
    told = karrots("create", cwd=root, expect=ExitCode.NOT_FOUND)
    assert "karrots init" in told.err


def test_a_fleet_without_karrots_yaml(fleet: Fleet, refused: Refusal) -> None:
    fleet.git("rm", "-q", "karrots.yaml")
    fleet.git("commit", "-qm", "Lose it")
    told = refused("create", code=ExitCode.NOT_FOUND)
    assert "there is no karrots.yaml" in told.err
    assert "karrots init" in told.err


@pytest.mark.parametrize("words", [("create",), ("branch", "feature/x")], ids=" ".join)
def test_an_unborn_head(words: tuple[str, ...], fleet: Fleet, refused: Refusal) -> None:
    fleet.git("switch", "--quiet", "--orphan", "new")
    fleet.git("restore", "--source=main", "--worktree", ".")
    told = refused(*words, code=ExitCode.USAGE)
    assert "no commit yet" in told.err
    assert "git add . && git commit" in told.err


@pytest.mark.parametrize("words", [("create",), ("branch", "feature/x")], ids=" ".join)
def test_a_detached_head(words: tuple[str, ...], fleet: Fleet, refused: Refusal) -> None:
    fleet.git("switch", "--quiet", "--detach")
    told = refused(*words, code=ExitCode.USAGE)
    assert "HEAD is detached" in told.err
    assert "git switch" in told.err


def test_a_cluster_directory_that_is_not_committed(fleet: Fleet, refused: Refusal) -> None:
    fleet.git("rm", "-qr", "--cached", "clusters/qa")
    fleet.git("commit", "-qm", "Forget it")
    told = refused("create", code=ExitCode.USAGE)
    assert "is not part of commit" in told.err
    assert "git add" in told.err


def test_uncommitted_changes_are_warned_of(fleet: Fleet, karrots: CommandLine) -> None:
    (fleet.qa / "notes.txt").write_text("not committed\n")
    for quiet in ((), ("-q",)):
        told = karrots("create", "--dry-run", *quiet, cwd=fleet.qa, expect=None)
        assert "! uncommitted changes are not part of it: clusters/qa/notes.txt" in told.err


@pytest.mark.parametrize("branch", HOSTILE_BRANCHES, ids=ascii)
def test_hostile_branch_names(branch: str, fleet: Fleet, karrots: CommandLine) -> None:
    before = fleet.picture()
    told = karrots("branch", "--", branch, cwd=fleet.qa, expect=ExitCode.USAGE)
    assert "cannot be a branch name" in told.err
    assert "\n  try  " in told.err
    assert "\x1b" not in told.err
    assert len(told.err) < 500
    assert fleet.picture() == before


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
def test_hostile_names(name: str, fleet: Fleet, karrots: CommandLine) -> None:
    before = fleet.picture()
    told = karrots("create", "--", name, cwd=fleet.qa, expect=ExitCode.USAGE)
    assert "cannot be the name of a cluster" in told.err
    assert "\n  try  " in told.err
    assert "\x1b" not in told.err
    assert len(told.err) < 500
    assert fleet.picture() == before


@pytest.mark.parametrize("words", [("show",), ("destroy", "--yes")], ids=" ".join)
@pytest.mark.parametrize("name", ["../../etc", "--x", "$(id)", "n" * 300, "\x1b[2J", "großartig", ""], ids=ascii)
def test_hostile_names_of_clusters_that_are_not_there(
    words: tuple[str, ...], name: str, fleet: Fleet, karrots: CommandLine
) -> None:
    before = fleet.picture()
    told = karrots(*words, "--", name, cwd=fleet.qa, expect=ExitCode.NOT_FOUND)
    assert "there is no cluster" in told.err
    assert "\x1b" not in told.err
    assert len(told.err) < 300
    assert fleet.picture() == before


@pytest.mark.parametrize(
    "word", ["--output=/tmp/x", "\x1b[2J", "a//b", "", "/", ":(top)", "n" * 300, "@{u}"], ids=ascii
)
def test_hostile_words_to_diff(word: str, fleet: Fleet, karrots: CommandLine) -> None:
    before = fleet.picture()
    told = karrots("diff", "--", "qa", word, cwd=fleet.qa, expect=ExitCode.NOT_FOUND)
    assert "is no cluster, no cluster directory and no git ref" in told.err
    assert "\x1b" not in told.err
    assert len(told.err) < 300
    assert fleet.picture() == before


def test_an_unknown_cluster_is_guessed(fleet: Fleet, refused: Refusal) -> None:
    fleet.known("qa-feature-1234")
    for verb in ("show", "destroy", "apply"):
        told = refused(verb, "qa-feature-1243", code=ExitCode.NOT_FOUND)
        assert "did you mean 'qa-feature-1234'?" in told.err
    assert "did you mean 'qa-feature-1234'?" in refused("diff", "qa", "qa-feature-1243", code=ExitCode.NOT_FOUND).err


@pytest.mark.parametrize("words", [("branch", "feature/x", "--from", "nowhere"), ("lint", "--ref", "nowhere")])
def test_a_commit_that_git_does_not_know(words: tuple[str, ...], refused: Refusal) -> None:
    told = refused(*words, code=ExitCode.NOT_FOUND)
    assert "git knows no commit 'nowhere'" in told.err


def test_a_branch_that_exists_here(fleet: Fleet, refused: Refusal) -> None:
    fleet.git("branch", "feature/x")
    told = refused("branch", "feature/x", code=ExitCode.LOCKED)
    assert "git branch 'feature/x' exists already" in told.err
    assert "of Ada Example" in told.err
    assert "git switch feature/x" in told.err


def test_a_branch_that_a_cluster_follows(fleet: Fleet, refused: Refusal) -> None:
    fleet.git("branch", "feature/x")
    fleet.known("story", branch="feature/x", owner="grace@example.com")
    told = refused("branch", "feature/x", code=ExitCode.LOCKED)
    assert "cluster 'story' of grace@example.com follows it since 2026-11-21T07:00:00Z" in told.err


def test_a_branch_that_exists_at_the_remote(fleet: Fleet, tmp_path: Path, refused: Refusal) -> None:
    repositories.bare_remote(tmp_path / "shared.git", fleet.root)
    fleet.git("branch", "feature/x")
    fleet.git("push", "--quiet", "origin", "feature/x")
    fleet.git("branch", "-D", "feature/x")
    told = refused("branch", "feature/x", code=ExitCode.LOCKED)
    assert "exists already on 'origin'" in told.err
    assert "of Ada Example" in told.err


def test_a_branch_name_below_another_branch(fleet: Fleet, karrots: CommandLine) -> None:
    fleet.git("branch", "feature")
    told = karrots("branch", "feature/x", "--dry-run", cwd=fleet.qa, expect=ExitCode.USAGE)
    assert "'feature' exists" in told.err


@pytest.mark.parametrize("words", [("create", "story"), ("branch", "feature/y", "story")], ids=" ".join)
def test_a_name_that_is_taken(words: tuple[str, ...], fleet: Fleet, refused: Refusal) -> None:
    fleet.known("story", owner="grace@example.com")
    told = refused(*words, code=ExitCode.LOCKED)
    assert "the name 'story' is taken" in told.err
    assert "grace@example.com has it for the branch 'feature/story' since 2026-11-21T07:00:00Z" in told.err
    assert "karrots show story" in told.err


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("kubernetes:", "kubernets:", "did you mean 'kubernetes'"),
        ("count: 2", "cuont: 2", "did you mean 'count'"),
        ("count: 2", "count: two", "must be a whole number"),
        ("count: 2", "count: [2]", "must be a whole number"),
        ("provider: local", "provider: docker", "must be 'local'"),
        ("nodes:", "nodes: [1]\nother:", "clusters/qa/cluster.yaml:"),
    ],
)
def test_mistakes_in_cluster_yaml(before: str, after: str, said: str, fleet: Fleet, refused: Refusal) -> None:
    fleet.edit("clusters/qa/cluster.yaml", before, after)
    for words in (("branch", "feature/x"), ("lint",)):
        told = refused(*words, code=ExitCode.USAGE)
        assert said in told.err
        assert "clusters/qa/cluster.yaml:" in told.err


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize("path", ["clusters/qa/cluster.yaml", "karrots.yaml"])
@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 50_000,
        BOMB,
        "",
        "- a\n",
        "a: b: c",
        "\x00",
        "!!python/object:os.system {}",
        "a: 1\na: 2",
    ],
    ids=["brackets", "braces", "bomb", "empty", "list", "nonsense", "nul", "tag", "twice"],
)
def test_hostile_yaml(path: str, text: str, fleet: Fleet, refused: Refusal) -> None:
    fleet.commit({path: text})
    told = refused("create", code=ExitCode.USAGE)
    assert path.rpartition("/")[2] in told.err
    assert len(told.err) < 2000


def test_yaml_that_is_not_text(fleet: Fleet, refused: Refusal) -> None:
    (fleet.qa / "cluster.yaml").write_bytes(b"\xff\xfe\xfa kind")
    fleet.git("commit", "-qam", "Noise")
    assert "cluster.yaml" in refused("create", code=ExitCode.USAGE).err


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("nodes", "is not KEY=VALUE"),
        ("=2", "is not KEY=VALUE"),
        ("nodes.default.cuont=2", "did you mean 'count'"),
        ("nodes.default.count=two", "must be a whole number"),
        ("nodes.default=2", "it is a group of keys"),
        ("provider.x=2", "is a single value"),
        ("nodes..count=2", "cannot set 'nodes..count'"),
        ("\x1b[2J=2", "cannot set"),
    ],
)
def test_overrides_that_cannot_be_set(setting: str, said: str, refused: Refusal) -> None:
    told = refused("create", "--set", setting, code=ExitCode.USAGE)
    assert said in told.err
    assert "\x1b" not in told.err


@pytest.mark.parametrize("ttl", ["3", "d", "0h", "-1h", "3y", "3d ", "3d\n", "1.5h", "999999h", "3d4h", "٣d", ""])
def test_times_to_live(ttl: str, refused: Refusal) -> None:
    told = refused("create", f"--ttl={ttl}", code=ExitCode.USAGE)
    assert "is not a time to live" in told.err
    assert "--ttl 3d" in told.err


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "inf", "soon"])
def test_timeouts(timeout: str, refused: Refusal) -> None:
    assert "--timeout" in refused("create", f"--timeout={timeout}", code=ExitCode.USAGE).err


def test_a_folder_that_is_not_there(fleet: Fleet, refused: Refusal) -> None:
    for folder in (fleet.root / "none", fleet.root / "karrots.yaml"):
        told = refused("ls", "-C", str(folder), code=ExitCode.USAGE)
        assert f"'{folder}' is not a folder" in told.err


def test_c_is_where_the_command_stands(fleet: Fleet, tmp_path: Path, karrots: CommandLine) -> None:
    told = karrots("lint", "-C", str(fleet.qa), cwd=tmp_path)
    assert told.out == "clusters/qa: clean\n"


def test_a_cloud_that_karrots_yaml_says_nothing_of(fleet: Fleet, refused: Refusal) -> None:
    fleet.edit("clusters/qa/cluster.yaml", "provider: local", "provider: eks")
    for words in (("create",), ("branch", "feature/x")):
        told = refused(*words, code=ExitCode.PREFLIGHT_FAILED)
        assert "it says nothing of providers.eks" in told.err
        assert "add providers.eks (account, region, state.bucket) to karrots.yaml" in told.err


def test_a_provider_nobody_knows(refused: Refusal) -> None:
    assert "'moon'" in refused("create", "--on", "moon", code=ExitCode.USAGE).err


def test_a_watch_that_nobody_sees(refused: Refusal) -> None:
    assert "--watch draws on a terminal" in refused("status", "--watch", code=ExitCode.USAGE).err


def test_a_watch_as_json(fleet: Fleet, karrots: CommandLine) -> None:
    told = karrots("status", "--watch", "-o", "json", cwd=fleet.qa, expect=ExitCode.USAGE).document
    assert told["message"] == "--watch draws on a terminal"
    assert told["hint"] == "karrots status -o json"


def test_a_record_of_a_newer_version(fleet: Fleet, refused: Refusal) -> None:
    made = fleet.known("story")
    newer = json.dumps(made.document() | {"schema": 2})
    fleet.ledger.publish(lambda _: {"clusters/story/record.json": newer.encode()}, "By a newer one")
    for words in (("ls",), ("show", "story"), ("destroy", "story"), ("create", "story"), ("tree",)):
        told = refused(*words, code=ExitCode.USAGE)
        assert "was written by a newer karrots" in told.err
        assert "pip install --upgrade karrots" in told.err


def test_a_record_that_is_broken(fleet: Fleet, refused: Refusal) -> None:
    fleet.known("story")
    fleet.ledger.publish(lambda _: {"clusters/story/record.json": b"{"}, "By hand")
    told = refused("ls", code=ExitCode.FAILED)
    assert "clusters/story/record.json" in told.err
    assert "git show karrots/fleet:clusters/story/record.json" in told.err


def test_a_ledger_that_somebody_moved(fleet: Fleet, tmp_path: Path, refused: Refusal) -> None:
    repositories.bare_remote(tmp_path / "shared.git", fleet.root)
    fleet.known("story")
    fleet.git("push", "--quiet", "origin", "karrots/fleet")
    elsewhere = repositories.clone(tmp_path / "shared.git", tmp_path / "elsewhere").root
    repositories.git(elsewhere, "switch", "--quiet", "--orphan", "karrots/fleet")
    repositories.commit(elsewhere, {"README.md": "made anew\n"})
    repositories.git(elsewhere, "push", "--quiet", "--force", "origin", "HEAD:karrots/fleet")
    for words in (("create", "two"), ("ls", "--fetch"), ("destroy", "story")):
        told = refused(*words, code=ExitCode.FAILED)
        assert "went separate ways" in told.err
        assert "git log --oneline --graph karrots/fleet" in told.err


def test_a_ledger_that_is_checked_out(fleet: Fleet, karrots: CommandLine) -> None:
    fleet.known("story")
    before = fleet.git("rev-parse", "karrots/fleet")
    fleet.git("worktree", "add", "--quiet", str(fleet.root.parent / "ledger"), "karrots/fleet")
    told = karrots("destroy", "story", "--yes", cwd=fleet.qa, expect=ExitCode.REFUSED)
    assert "is checked out in" in told.err
    assert fleet.git("rev-parse", "karrots/fleet") == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--cluster", "../x"), "cannot be the name of a cluster"),
        (("--cluster", "$(id)"), "cannot be the name of a cluster"),
        (("--domain", "not a domain"), "domain"),
        (("--domain", 'x"\nprovider: y'), "domain"),
        (("--provider", "moon"), "provider"),
        (("--provider", "eks"), "eks"),
        (("--pool", "8.8.8.0/24"), "pool"),
        (("--pool", "10.0.0.0/24", "--prefix", "20"), "pool"),
        (("--prefix", "40"), "prefix"),
    ],
)
def test_a_fleet_that_cannot_be_written(
    words: tuple[str, ...], said: str, tmp_path: Path, karrots: CommandLine
) -> None:
    """Not even an empty repository is left."""
    folder = tmp_path / "new"
    folder.mkdir()
    told = karrots("init", *words, cwd=folder, expect=ExitCode.USAGE)
    assert said in told.err
    assert "\n  try  " in told.err
    assert list(folder.iterdir()) == []


def test_init_never_writes_over_a_file(fleet: Fleet, refused: Refusal) -> None:
    fleet.edit("clusters/qa/cluster.yaml", "count: 2", "count: 3")
    told = refused("init", cwd=fleet.root, code=ExitCode.REFUSED)
    assert "'clusters/qa/cluster.yaml' exists" in told.err


def test_ejecting_twice(fleet: Fleet, karrots: CommandLine, refused: Refusal) -> None:
    karrots("eject", cwd=fleet.qa)
    assert "is ejected already" in refused("eject", code=ExitCode.USAGE).err
    assert "is ejected" in refused("render", code=ExitCode.USAGE).err


def test_runs_and_engine_clusters_that_are_not_there(refused: Refusal) -> None:
    assert "there is no run" in refused("logs", "nothing", code=ExitCode.NOT_FOUND).err
    assert "there is no run" in refused("logs", "last", code=ExitCode.NOT_FOUND).err
    for words in (("status", "moon"), ("logs", "moon"), ("stop", "moon")):
        told = refused("engine", *words, code=ExitCode.NOT_FOUND)
        assert "the engine has no cluster 'moon'" in told.err


@pytest.mark.parametrize("verb", ["render", "eject"])
def test_nothing_is_written_through_a_link_to_elsewhere(
    verb: str, fleet: Fleet, tmp_path: Path, refused: Refusal
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.rmtree(fleet.qa / "terraform")
    (fleet.qa / "terraform").symlink_to(elsewhere)
    assert "is a symbolic link" in refused(verb, code=ExitCode.REFUSED).err
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("file", ["clusters/qa/cluster.yaml", "karrots.yaml"])
def test_no_settings_are_read_through_a_link(file: str, fleet: Fleet, tmp_path: Path, refused: Refusal) -> None:
    (tmp_path / "secret").write_text("hush: hush\n")
    (fleet.root / file).unlink()
    (fleet.root / file).symlink_to(tmp_path / "secret")
    verb = ("lint",) if "clusters" in file else ("create",)
    told = refused(*verb, code=ExitCode.USAGE).err
    assert "symbolic link" in told
    assert "hush" not in told
