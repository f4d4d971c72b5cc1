from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from karrots.adapters.git import (
    BranchExists,
    Head,
    Repository,
    Tree,
    check_branch_name,
    init_repository,
    installed_version,
)
from karrots.errors import (
    Failed,
    KarrotsError,
    LoginNeeded,
    PreflightFailed,
    Refused,
    ToolFailed,
    ToolMissing,
    UsageError,
)
from tests.support.repositories import CONTENT, bare_remote, clone, commit, git, repository, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOSTILE_BRANCHES = [
    "", "--upload-pack=x", "-b", "$(id)", "`id`", "a;b", "a b", "../x", "a..b", "a//b", "/a", "a/", ".a", "a/.b",
    "a.lock", "a/b.lock/c", "a.", "HEAD", "@", "a@{1}", "a~1", "a^", "a:b", "a?", "a*", "a[b", "a\\b", "ä", "a\nb",
    "a\0b", "a" * 201, "x" * 300, "karrots", "karrots/fleet", "KARROTS/fleet", "refs/heads/x", "a" * 40, "0" * 64,
]  # fmt: skip


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return repository(tmp_path / "fleet")


def fsck(folder: Path) -> None:
    assert git(folder, "fsck", "--strict", "--no-dangling") == ""


def raw_tree(repo: Repository, data: bytes) -> str:
    """A tree that git itself would not make."""
    words = ["git", "hash-object", "-w", "-t", "tree", "--literally", "--stdin"]
    done = subprocess.run(words, cwd=repo.root, input=data, capture_output=True, check=True)
    return done.stdout.decode().strip()


class TestDiscover:
    def test_from_a_folder_inside(self, repo: Repository) -> None:
        found = Repository.discover(repo.root / "clusters" / "qa")
        assert (found.root, found.git_dir) == (repo.root, repo.root / ".git")

    def test_from_a_linked_work_tree_the_shared_folder_is_found(self, repo: Repository, tmp_path: Path) -> None:
        git(repo.root, "worktree", "add", "--quiet", "-b", "story", str(tmp_path / "other"))
        found = Repository.discover(tmp_path / "other")
        assert (found.root, found.git_dir) == (tmp_path / "other", repo.git_dir)
        assert found.head().branch == "story"

    def test_outside(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="is not in a git repository") as caught:
            Repository.discover(tmp_path)
        assert "git init" in caught.value.hint

    def test_in_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="is not a folder"):
            Repository.discover(tmp_path / "nowhere")

    def test_in_a_bare_repository(self, repo: Repository, tmp_path: Path) -> None:
        bare_remote(tmp_path / "bare.git", repo.root)
        with pytest.raises(UsageError, match="is a bare git repository"):
            Repository.discover(tmp_path / "bare.git")

    def test_inside_of_dot_git(self, repo: Repository) -> None:
        with pytest.raises(UsageError, match=r"lies inside a \.git folder"):
            Repository.discover(repo.root / ".git")

    def test_without_git(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(ToolMissing, match="git is not on this computer"):
            Repository.discover(tmp_path)

    def test_an_outer_git_dir_does_not_lead_us_elsewhere(
        self, repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = repository(tmp_path / "other", {"a": "b"})
        monkeypatch.setenv("GIT_DIR", str(other.git_dir))
        monkeypatch.setenv("GIT_WORK_TREE", str(other.root))
        found = Repository.discover(repo.root)
        assert found.root == repo.root
        (last,) = found.commits_between(None, "HEAD")
        assert last.id == found.head().commit != git(other.root, "rev-parse", "HEAD")

    def test_a_new_one_is_made(self, tmp_path: Path) -> None:
        init_repository(tmp_path / "-new fleet")
        assert Repository.discover(tmp_path / "-new fleet").head() == Head("main", None)


class TestReading:
    def test_head(self, repo: Repository) -> None:
        tip = git(repo.root, "rev-parse", "HEAD")
        assert repo.head() == Head("main", tip)
        git(repo.root, "checkout", "--quiet", "--detach")
        assert repo.head() == Head(None, tip)

    def test_resolve(self, repo: Repository) -> None:
        tip = repo.head().commit
        assert [repo.resolve(rev) for rev in ("HEAD", "main", "main^{commit}", str(tip))] == [tip] * 4
        git(repo.root, "tag", "-a", "-m", "one", "v1")
        assert repo.resolve("v1") == tip

    @pytest.mark.parametrize(
        "rev", ["", "nothing", "HEAD~9", "HEAD..HEAD", "a\0b", "main\n", "HEAD:karrots.yaml", *HOSTILE_BRANCHES[1:8]]
    )
    def test_what_is_no_commit_resolves_to_nothing(self, repo: Repository, rev: str) -> None:
        assert repo.resolve(rev) is None
        assert repo.branch_commit(rev) is None

    def test_a_rev_is_never_an_option(self, repo: Repository) -> None:
        for rev in ("--git-dir", "--help", "--output=x", "-h"):
            assert repo.resolve(rev) is None
            assert repo.tree_id(rev) is None
            assert repo.tree_id(rev, "clusters") is None
            assert repo.files(rev) == {}
            assert repo.read(rev, "karrots.yaml") is None
            with pytest.raises(ToolFailed):
                repo.diff(rev, "HEAD")
        assert not (repo.root / "x").exists()

    def test_trees_and_files(self, repo: Repository) -> None:
        tree = repo.tree_id("HEAD", "clusters/qa")
        assert tree == git(repo.root, "rev-parse", "HEAD:clusters/qa") == repo.tree_id("main", "clusters/qa/")
        assert repo.tree_id("HEAD") == git(repo.root, "rev-parse", "HEAD^{tree}")
        assert repo.tree_id("HEAD", "karrots.yaml") is None
        assert repo.tree_id("HEAD", "clusters/none") is None
        assert repo.read("HEAD", "karrots.yaml") == CONTENT["karrots.yaml"].encode()
        assert repo.read("HEAD", "clusters") is None
        assert repo.read("HEAD", "none") is None
        files = repo.files("HEAD", "clusters/qa")
        assert {path: file.data.decode() for path, file in files.items()} == {
            "cluster.yaml": CONTENT["clusters/qa/cluster.yaml"],
            "flux/kustomization.yaml": CONTENT["clusters/qa/flux/kustomization.yaml"],
        }
        assert repo.files(str(tree)) == files
        assert repo.files("HEAD", "none") == {}
        assert len(repo.files("HEAD")) == 3

    @pytest.mark.parametrize("path", ["../x", "clusters/../..", "/etc", "a//b", "./a", "a\nb", "a\0b"])
    def test_paths_stay_inside(self, repo: Repository, path: str) -> None:
        for read in (repo.read, repo.tree_id, repo.files):
            with pytest.raises(UsageError, match="is not a path inside the repository"):
                read("HEAD", path)

    def test_odd_file_names(self, repo: Repository) -> None:
        names = [
            "with space",
            "-n",
            "*",
            "quo\"te'",
            "line\nbreak",
            "tab\t",
            "ünï",
            ":(glob)x",
            os.fsdecode(b"\xff\xfe"),
        ]
        commit(repo.root, {f"odd/{name}": name.encode(errors="surrogateescape").hex() for name in names})
        files = repo.files("HEAD", "odd")
        assert {name: file.data.decode() for name, file in files.items()} == {
            name: name.encode(errors="surrogateescape").hex() for name in names
        }
        assert repo.read("HEAD", "odd/*") == b"2a"

    def test_links_and_submodules_come_with_their_mode(self, repo: Repository) -> None:
        (repo.root / "link").symlink_to("/etc/passwd")
        tip = commit(repo.root, {"run.sh": "#!/bin/sh\n"})
        (repo.root / "run.sh").chmod(0o755)
        git(repo.root, "update-index", "--add", "--cacheinfo", f"160000,{tip},module")
        git(repo.root, "add", "run.sh")
        git(repo.root, "commit", "--quiet", "-m", "odd")
        files = repo.files("HEAD")
        assert (files["link"].mode, files["link"].data) == (0o120000, b"/etc/passwd")
        assert (files["module"].mode, files["module"].data) == (0o160000, b"")
        assert files["run.sh"].mode == 0o100755
        assert [path for path, file in files.items() if not file.regular] == ["link", "module"]
        for path in ("link", "module"):
            with pytest.raises(UsageError, match="is a link in git"):
                repo.read("HEAD", path)

    def test_a_large_file_is_refused_by_name(self, repo: Repository) -> None:
        commit(repo.root, {"clusters/qa/big": "x" * (1 << 20), "clusters/qa/bigger": "x" * ((1 << 20) + 1)})
        with pytest.raises(UsageError, match="'bigger' is too large"):
            repo.files("HEAD", "clusters/qa")
        with pytest.raises(UsageError, match="too large"):
            repo.read("HEAD", "clusters/qa/bigger")
        assert len(repo.read("HEAD", "clusters/qa/big") or b"") == 1 << 20

    def test_many_objects_at_once(self, repo: Repository) -> None:
        tree = repo.tree_id("HEAD", "clusters/qa")
        assert repo.contents([f"{tree}:cluster.yaml", f"{tree}:none"]) == [b"provider: local\n", None]

    def test_uncommitted_changes(self, repo: Repository) -> None:
        assert repo.changed() == []
        write(repo.root, {"clusters/qa/new file": "", "clusters/qa/cluster.yaml": "x", "other": ""})
        (repo.root / "clusters/qa/flux/kustomization.yaml").unlink()
        assert sorted(repo.changed("clusters/qa")) == [
            "clusters/qa/cluster.yaml", "clusters/qa/flux/kustomization.yaml", "clusters/qa/new file",
        ]  # fmt: skip
        assert "other" in repo.changed()

    def test_names_lists_a_folder(self, repo: Repository) -> None:
        assert set(repo.names("HEAD:clusters")) == {"qa"}
        assert repo.names("HEAD:none") == {}

    def test_version_and_identity(self, repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
        assert installed_version() == repo.version() >= (2, 31)
        assert repo.identity() == ("Ada Example", "ada@example.com")
        for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
            monkeypatch.delenv(name)
        assert repo.identity() is None
        git(repo.root, "config", "user.name", "Bo")
        git(repo.root, "config", "user.email", "bo@example.com")
        assert repo.identity() == ("Bo", "bo@example.com")


class TestComparing:
    def test_diff_of_two_folders(self, repo: Repository) -> None:
        commit(repo.root, {"clusters/prod/cluster.yaml": "provider: eks\n"})
        text = repo.diff("HEAD:clusters/qa", "HEAD:clusters/prod")
        assert "-provider: local\n+provider: eks\n" in text
        assert "a/cluster.yaml" in text
        assert "cluster.yaml" in repo.diff("HEAD:clusters/qa", "HEAD:clusters/prod", stat=True)
        assert repo.changed_paths("HEAD:clusters/qa", "HEAD:clusters/prod") == [
            ("M", "cluster.yaml"), ("D", "flux/kustomization.yaml"),
        ]  # fmt: skip
        assert repo.diff("HEAD", "HEAD") == ""
        assert repo.changed_paths("HEAD", "HEAD") == []

    def test_nothing_is_a_tree_too(self, repo: Repository) -> None:
        assert repo.changed_paths(None, "HEAD:clusters/qa") == [("A", "cluster.yaml"), ("A", "flux/kustomization.yaml")]

    def test_the_users_diff_settings_and_programs_are_not_used(self, repo: Repository, tmp_path: Path) -> None:
        trap = tmp_path / "trap"
        program = f"touch {trap};"
        for key in ("diff.external", "diff.x.command", "diff.x.textconv", "core.pager"):
            git(repo.root, "config", key, program)
        git(repo.root, "config", "diff.noprefix", "true")
        commit(repo.root, {".gitattributes": "* diff=x\n", "karrots.yaml": "changed\n"})
        assert "a/karrots.yaml" in repo.diff("HEAD~1", "HEAD")
        assert not trap.exists()

    def test_history(self, repo: Repository) -> None:
        base = str(repo.head().commit)
        one = commit(repo.root, {"clusters/qa/a": "1"}, "One\n\nbody: not a trailer\n\nKarrots-Verb: branch\nX: y")
        two = commit(repo.root, {"clusters/prod/a": "2"}, "Two")
        found = repo.commits_between(base, "HEAD")
        assert [(each.id, each.subject, each.author) for each in found] == [
            (two, "Two", "Ada Example"), (one, "One", "Ada Example"),
        ]  # fmt: skip
        assert found[1].trailers == {"Karrots-Verb": "branch", "X": "y"}
        assert found[0].when.utcoffset() is not None
        assert [each.id for each in repo.commits_between(base, "HEAD", "clusters/qa")] == [one]
        assert len(repo.commits_between(None, "HEAD")) == 3
        assert len(repo.commits_between(None, "HEAD", most=2)) == 2
        assert repo.commits_between(base, "nothing") == []
        assert repo.commit("nothing") is None

    def test_ancestry(self, repo: Repository) -> None:
        base = str(repo.head().commit)
        tip = commit(repo.root, {"a": "1"})
        assert repo.merge_base(base, tip) == base
        assert repo.is_ancestor(base, tip)
        assert not repo.is_ancestor(tip, base)
        with pytest.raises(ToolFailed):
            repo.is_ancestor("0" * 40, tip)


class TestExport:
    def test_a_folder_is_written(self, repo: Repository, tmp_path: Path) -> None:
        into = tmp_path / "run" / "root"
        written = repo.export("HEAD", "clusters/qa", into)
        assert sorted(written) == [into / "cluster.yaml", into / "flux" / "kustomization.yaml"]
        assert (into / "cluster.yaml").read_text() == "provider: local\n"
        (into / "kept").write_text("")
        (into / "cluster.yaml").write_text("old")
        repo.export("HEAD", "clusters/qa", into)
        assert (into / "cluster.yaml").read_text() == "provider: local\n"
        assert (into / "kept").exists()

    def test_programs_stay_programs(self, repo: Repository, tmp_path: Path) -> None:
        write(repo.root, {"clusters/qa/run.sh": "#!/bin/sh\n"})
        (repo.root / "clusters/qa/run.sh").chmod(0o755)
        commit(repo.root, {})
        repo.export("HEAD", "clusters/qa", tmp_path / "out")
        assert os.access(tmp_path / "out" / "run.sh", os.X_OK)

    def test_a_symlink_is_refused_before_anything_is_written(self, repo: Repository, tmp_path: Path) -> None:
        (repo.root / "clusters/qa/z").symlink_to("/etc")
        commit(repo.root, {})
        with pytest.raises(UsageError, match="symlink"):
            repo.export("HEAD", "clusters/qa", tmp_path / "out")
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("name", ["..", ".", ".git", ".GIT"])
    def test_a_hand_made_tree_does_not_escape(self, repo: Repository, tmp_path: Path, name: str) -> None:
        blob = repo.write_blob(b"escaped")
        inner = raw_tree(repo, b"100644 x\0" + bytes.fromhex(blob))
        outer = raw_tree(repo, f"40000 {name}\0".encode() + bytes.fromhex(inner))
        with pytest.raises(UsageError, match="leads out of its folder"):
            repo.export(outer, "", tmp_path / "out" / "deep")
        assert not (tmp_path / "out").exists()

    def test_a_symlink_that_is_there_already_is_not_followed(self, repo: Repository, tmp_path: Path) -> None:
        out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
        out.mkdir()
        elsewhere.mkdir()
        (out / "flux").symlink_to(elsewhere)
        with pytest.raises(Failed, match="is a symlink"):
            repo.export("HEAD", "clusters/qa", out)
        (out / "flux").unlink()
        (out / "cluster.yaml").unlink(missing_ok=True)
        (out / "cluster.yaml").symlink_to(elsewhere / "file")
        repo.export("HEAD", "clusters/qa", out)
        assert list(elsewhere.iterdir()) == []


class TestBranches:
    @pytest.mark.parametrize("name", ["a", "feature/JIRA-1234", "x.y", "1.2", "_a", "a" * 200, "feature/karrots"])
    def test_good_names(self, name: str) -> None:
        assert check_branch_name(name) == name

    @pytest.mark.parametrize("name", HOSTILE_BRANCHES)
    def test_hostile_names_are_refused_and_change_nothing(self, repo: Repository, name: str) -> None:
        before = git(repo.root, "for-each-ref")
        tip = str(repo.head().commit)
        uses: tuple[Callable[[], object], ...] = (
            lambda: check_branch_name(name),
            lambda: repo.create_branch(name, tip),
            lambda: repo.delete_branch(name, tip),
            lambda: repo.push_branch("origin", name, tip),
        )
        for use in uses:
            with pytest.raises(UsageError, match="cannot be a branch name"):
                use()
        assert git(repo.root, "for-each-ref") == before

    def test_made_and_deleted(self, repo: Repository) -> None:
        tip = str(repo.head().commit)
        repo.create_branch("feature/a", tip)
        assert repo.branch_commit("feature/a") == tip
        assert repo.head().branch == "main"
        assert repo.refs("refs/heads/") == {"refs/heads/feature/a": tip, "refs/heads/main": tip}
        assert not repo.delete_branch("feature/a", "0" * 39 + "1")
        assert repo.delete_branch("feature/a", tip)
        assert repo.branch_commit("feature/a") is None

    def test_one_that_exists_says_whose_it_is(self, repo: Repository) -> None:
        tip = commit(repo.root, {"a": "b"}, "Mine")
        with pytest.raises(BranchExists) as caught:
            repo.create_branch("main", tip)
        assert caught.value.message == "the branch 'main' exists already"
        assert f"last commit {tip[:12]} by Ada Example, 20" in caught.value.why
        assert caught.value.commit is not None

    @pytest.mark.parametrize(("there", "wanted"), [("a", "a/b/c"), ("a/b", "a/b/c"), ("a/b/c", "a"), ("a/b/c", "a/b")])
    def test_one_below_or_above_another_cannot_be(self, repo: Repository, there: str, wanted: str) -> None:
        tip = str(repo.head().commit)
        repo.create_branch(there, tip)
        with pytest.raises(UsageError, match="cannot be made") as caught:
            repo.create_branch(wanted, tip)
        assert f"'{there}' exists" in caught.value.why

    def test_a_checked_out_one_is_not_deleted(self, repo: Repository, tmp_path: Path) -> None:
        tip = str(repo.head().commit)
        with pytest.raises(Refused, match="is checked out"):
            repo.delete_branch("main", tip)
        git(repo.root, "worktree", "add", "--quiet", "-b", "story", str(tmp_path / "other"))
        with pytest.raises(Refused, match="is checked out"):
            repo.delete_branch("story", tip)

    def test_a_stale_lock_is_said(self, repo: Repository) -> None:
        (repo.git_dir / "refs/heads/x.lock").write_text("")
        with pytest.raises(ToolFailed, match="could not move a ref") as caught:
            repo.create_branch("x", str(repo.head().commit))
        lock = repo.git_dir / "refs/heads/x.lock"
        assert "may be held" in caught.value.why
        assert caught.value.hint == f"rm {lock}  # when no git works in {repo.git_dir} any more"

    def test_swap(self, repo: Repository) -> None:
        one = str(repo.head().commit)
        two = commit(repo.root, {"a": "b"})
        ref = "refs/karrots/x"
        assert repo.update_ref(ref, one, None)
        assert not repo.update_ref(ref, two, None)
        assert not repo.update_ref(ref, one, two)
        assert repo.update_ref(ref, two, one)
        assert not repo.update_ref(ref, None, one)
        assert repo.update_ref(ref, None, two)
        assert not repo.update_ref(ref, one, two)
        assert repo.refs(ref) == {}

    def test_refs_are_set_whatever_they_were(self, repo: Repository) -> None:
        tip = str(repo.head().commit)
        assert repo.set_refs({"refs/karrots/a": tip, "refs/karrots/b": tip})
        assert repo.set_refs({"refs/karrots/a": None, "refs/karrots/b": tip})
        assert repo.refs("refs/karrots/") == {"refs/karrots/b": tip}
        assert repo.set_refs({"refs/karrots/none": None})


class TestRemotes:
    @pytest.fixture
    def bare(self, repo: Repository, tmp_path: Path) -> Path:
        return bare_remote(tmp_path / "fleet.git", repo.root)

    def test_its_address(self, repo: Repository, bare: Path) -> None:
        assert repo.remote("origin") == str(bare)
        assert repo.remote("other") is None
        assert repo.has_remote("origin")
        assert not repo.has_remote("other")
        assert not repo.has_remote(None)

    @pytest.mark.parametrize(
        "name", ["", "--upload-pack=touch x", "-o", "ext::sh -c id", "https://example.com/x", "../x", "a b"]
    )
    def test_hostile_names(self, repo: Repository, name: str) -> None:
        tip = str(repo.head().commit)
        uses: tuple[Callable[[], object], ...] = (
            lambda: repo.remote(name),
            lambda: repo.fetch(name, "main"),
            lambda: repo.push_swap(name, "refs/heads/a", tip, None),
            lambda: repo.remote_branch_commit(name, "main"),
        )
        for use in uses:
            with pytest.raises(UsageError, match="is not the name of a git remote"):
                use()

    @pytest.mark.parametrize(
        "url", ["ext::sh -c 'touch trap'", "--upload-pack=touch trap", "-oProxyCommand=touch trap"]
    )
    def test_a_hostile_address_runs_nothing(self, repo: Repository, url: str) -> None:
        git(repo.root, "config", "remote.bad.url", url)
        with pytest.raises(KarrotsError):
            repo.remote_branch_commit("bad", "main")
        with pytest.raises(KarrotsError):
            repo.fetch("bad", "main")
        with pytest.raises(KarrotsError):
            repo.push_branch("bad", "a", str(repo.head().commit))
        assert not (repo.root / "trap").exists()

    def test_a_branch_is_pushed_once(self, repo: Repository, bare: Path) -> None:
        one = str(repo.head().commit)
        two = commit(repo.root, {"a": "b"})
        assert repo.remote_branch_commit("origin", "feature/a") is None
        repo.push_branch("origin", "feature/a", one)
        repo.push_branch("origin", "feature/a", one)
        assert repo.remote_branch_commit("origin", "feature/a") == one
        with pytest.raises(BranchExists) as caught:
            repo.push_branch("origin", "feature/a", two)
        assert "at the remote 'origin'" in caught.value.why
        assert git(bare, "rev-parse", "feature/a") == one

    def test_swap_at_the_remote(self, repo: Repository, bare: Path) -> None:
        one = str(repo.head().commit)
        two = commit(repo.root, {"a": "b"})
        ref = "refs/heads/x"
        assert repo.push_swap("origin", ref, one, None)
        assert not repo.push_swap("origin", ref, two, None)
        assert not repo.push_swap("origin", ref, two, two[::-1])
        assert repo.push_swap("origin", ref, two, one)
        assert not repo.push_swap("origin", ref, None, one)
        assert repo.push_swap("origin", ref, None, two)
        assert repo.remote_ref("origin", ref) is None

    def test_fetch_brings_what_was_named_and_prunes(self, repo: Repository, bare: Path, tmp_path: Path) -> None:
        other = clone(bare, tmp_path / "other")
        tip = str(repo.head().commit)
        repo.push_branch("origin", "a/b", tip)
        spec = "+refs/heads/a/*:refs/mine/*"
        other.fetch("origin", spec)
        assert other.refs("refs/mine/") == {"refs/mine/b": tip}
        git(bare, "update-ref", "-d", "refs/heads/a/b")
        other.fetch("origin", spec, prune=True)
        assert other.refs("refs/mine/") == {}
        assert not (other.git_dir / "FETCH_HEAD").exists()

    def test_hooks_do_not_run(self, repo: Repository, bare: Path, tmp_path: Path) -> None:
        for hook in ("pre-push", "reference-transaction", "pre-commit", "post-commit"):
            file = repo.git_dir / "hooks" / hook
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"#!/bin/sh\ntouch {tmp_path}/trap\nexit 1\n")
            file.chmod(0o755)
        repo.create_branch("a", str(repo.head().commit))
        repo.push_branch("origin", "a", str(repo.head().commit))
        write(repo.root, {"new": ""})
        repo.commit_paths(["new"], "New")
        assert not (tmp_path / "trap").exists()

    def test_a_remote_that_is_gone_is_named(self, repo: Repository, bare: Path) -> None:
        bare.rename(bare.with_name("moved.git"))
        uses: tuple[Callable[[], object], ...] = (
            lambda: repo.remote_branch_commit("origin", "main"),
            lambda: repo.fetch("origin", "main"),
            lambda: repo.push_branch("origin", "a", str(repo.head().commit)),
        )
        for use in uses:
            with pytest.raises(ToolFailed, match="the git remote 'origin' could not be used") as caught:
                use()
            assert "does not appear to be a git repository" in caught.value.why
            assert caught.value.hint == "git ls-remote origin"

    def test_a_remote_that_refuses_is_told_apart_from_one_that_moved(self, repo: Repository, bare: Path) -> None:
        hook = bare / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\necho protected >&2\nexit 1\n")
        hook.chmod(0o755)
        with pytest.raises(Refused, match="does not take 'a'") as caught:
            repo.push_branch("origin", "a", str(repo.head().commit))
        assert "pre-receive hook declined" in caught.value.why

    def test_a_remote_that_wants_a_login(
        self, repo: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        ssh = tmp_path / "ssh"
        ssh.write_text("#!/bin/sh\necho 'ada@example.com: Permission denied (publickey).' >&2\nexit 255\n")
        ssh.chmod(0o755)
        monkeypatch.setenv("GIT_SSH", str(ssh))
        monkeypatch.setenv("GIT_SSH_VARIANT", "ssh")
        monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "ssh")
        git(repo.root, "remote", "add", "origin", "ssh://ada@example.com/fleet.git")
        with pytest.raises(LoginNeeded, match="'origin' wants a log-in") as caught:
            repo.fetch("origin", "main")
        assert caught.value.why == "ada@example.com: Permission denied (publickey)."

    def test_addresses_the_user_rewrites_are_followed(
        self, repo: Repository, bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        settings = tmp_path / "settings"
        settings.write_text(f'[url "{bare}"]\n\tinsteadOf = fleet:\n')
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
        git(repo.root, "remote", "set-url", "origin", "fleet:")
        assert repo.remote_branch_commit("origin", "main") == repo.head().commit


class TestTrees:
    def test_only_the_paths_named_change(self, repo: Repository) -> None:
        base = str(repo.tree_id("HEAD"))
        tree = repo.edit_tree(base, {"clusters/new/a/b": b"1", "karrots.yaml": None, "clusters/qa/cluster.yaml": b"2"})
        assert {path: file.data for path, file in repo.files(tree).items()} == {
            "clusters/new/a/b": b"1",
            "clusters/qa/cluster.yaml": b"2",
            "clusters/qa/flux/kustomization.yaml": b"resources: []\n",
        }
        fsck(repo.root)

    def test_a_tree_is_put_as_it_is(self, repo: Repository) -> None:
        qa = str(repo.tree_id("HEAD", "clusters/qa"))
        tree = repo.edit_tree(None, {"clusters/x/applied": Tree(qa), "README": b""})
        assert repo.tree_id(tree, "clusters/x/applied") == qa
        assert repo.tree_id(repo.edit_tree(tree, {"clusters/x": None}), "clusters") is None

    def test_files_become_folders_and_back(self, repo: Repository) -> None:
        one = repo.edit_tree(None, {"a": b"1"})
        two = repo.edit_tree(one, {"a/b": b"2"})
        assert list(repo.files(two)) == ["a/b"]
        assert repo.edit_tree(two, {"a": b"1"}) == one

    def test_edits_that_change_nothing_give_the_same_tree(self, repo: Repository) -> None:
        base = str(repo.tree_id("HEAD"))
        assert repo.edit_tree(base, {}) == base
        assert repo.edit_tree(base, {"none": None, "clusters/none/x": None}) == base
        assert repo.edit_tree(base, {"karrots.yaml": CONTENT["karrots.yaml"].encode()}) == base
        assert repo.files(repo.edit_tree(None, {"a": None})) == {}

    def test_modes_and_odd_names_beside_the_edit_stay(self, repo: Repository) -> None:
        (repo.root / "clusters/link\n").symlink_to("x")
        write(repo.root, {"clusters/run": "x"})
        (repo.root / "clusters/run").chmod(0o755)
        commit(repo.root, {})
        before = repo.files("HEAD", "clusters")
        tree = repo.edit_tree(repo.tree_id("HEAD"), {"clusters/a": b"1"})
        after = repo.files(tree, "clusters")
        assert {path: file for path, file in after.items() if path != "a"} == before

    @pytest.mark.parametrize("path", ["", "/a", "../a", "a//b", "a/./b"])
    def test_paths_that_lead_elsewhere_are_refused(self, repo: Repository, path: str) -> None:
        with pytest.raises(UsageError):
            repo.edit_tree(None, {path: b""})

    def test_an_edit_inside_another_is_refused(self, repo: Repository) -> None:
        with pytest.raises(UsageError):
            repo.edit_tree(None, {"a": b"", "a/b": b""})
        with pytest.raises(UsageError):
            repo.edit_tree(None, {"a": Tree("--help")})

    def test_commits(self, repo: Repository) -> None:
        tree = str(repo.tree_id("HEAD"))
        made = repo.commit_tree(tree, [str(repo.head().commit)], "Ünï\n\nA: b\n")
        found = repo.commit(made)
        assert found is not None
        assert (found.subject, found.trailers, found.email) == ("Ünï", {"A": "b"}, "ada@example.com")

    def test_without_an_identity_nothing_is_committed(self, repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
            monkeypatch.delenv(name)
        with pytest.raises(PreflightFailed, match="git does not know who you are") as caught:
            repo.commit_tree(str(repo.tree_id("HEAD")), [], "x")
        assert "git config --global user.name" in caught.value.hint
        write(repo.root, {"new": ""})
        with pytest.raises(PreflightFailed, match="git does not know who you are"):
            repo.commit_paths(["new"], "New")

    def test_the_first_files_of_a_fleet(self, tmp_path: Path) -> None:
        init_repository(tmp_path / "fleet")
        repo = Repository.discover(tmp_path / "fleet")
        write(repo.root, {"a": "1", "-b": "2", "staged": "3", ".gitignore": "a\n"})
        git(repo.root, "add", "staged")
        made = repo.commit_paths(["a", "-b"], "Begin")
        assert repo.head() == Head("main", made)
        assert sorted(repo.files("HEAD")) == ["-b", "a"]
        assert git(repo.root, "diff", "--cached", "--name-only") == "staged"

    def test_neither_work_tree_nor_index_is_touched(self, repo: Repository) -> None:
        write(repo.root, {"karrots.yaml": "mine\n", "untracked": ""})
        git(repo.root, "add", "karrots.yaml")
        index, status = (repo.git_dir / "index").read_bytes(), git(repo.root, "status", "--porcelain")
        tree = repo.edit_tree(repo.tree_id("HEAD"), {"x": b"1"})
        repo.create_branch("a", repo.commit_tree(tree, [], "x"))
        repo.changed()
        assert (repo.git_dir / "index").read_bytes() == index
        assert git(repo.root, "status", "--porcelain") == status
