from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from karrots.errors import ExitCode, Failed, Locked, NotFound, Refused, UsageError
from karrots.fleet.addresses import lease
from karrots.fleet.ledger import REF, InUse, Ledger, LostCluster, NameTaken, RangeTaken, View
from karrots.fleet.operations import started_here
from karrots.fleet.record import Applied, Record, to_json
from tests.support.records import record
from tests.support.repositories import bare_remote, clone, commit, git, repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from karrots.adapters.git import Repository
    from karrots.fleet.record import Operation


def claim(ledger: Ledger, made: Record) -> Record:
    return ledger.claim(made.name, lambda _: made)


def elsewhere(operation: Operation) -> Operation:
    return replace(operation, host="elsewhere", host_id="x" * 26)


def over(operation: Operation) -> Operation:
    """Its lease is."""
    return replace(operation, until="2026-01-01T00:00:00Z")


def fsck(folder: Path) -> None:
    assert git(folder, "fsck", "--strict", "--no-dangling") == ""


def log(repo: Repository, branch: str = REF) -> list[str]:
    return git(repo.root, "log", "--format=%s", branch).splitlines()


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return repository(tmp_path / "fleet")


@pytest.fixture(params=["alone", "shared"])
def ledger(repo: Repository, tmp_path: Path, request: pytest.FixtureRequest) -> Ledger:
    """Without a remote, and with one."""
    if request.param == "alone":
        return Ledger(repo)
    bare_remote(tmp_path / "fleet.git", repo.root)
    return Ledger(repo, "origin")


class TestLife:
    def test_a_fleet_without_a_ledger_has_no_clusters(self, ledger: Ledger) -> None:
        ledger.refresh()
        assert (ledger.records(), ledger.find("qa"), ledger.receipts(), ledger.receipt("qa")) == ([], None, [], None)
        assert (ledger.history("qa"), ledger.applied("qa")) == ([], None)
        with pytest.raises(NotFound):
            ledger.get("qa")

    def test_from_claim_to_receipt(self, ledger: Ledger) -> None:
        repo, made = ledger.repo, record("qa-story")
        tree = repo.tree_id("HEAD", "clusters/qa")
        assert ledger.claim("qa-story", lambda _: made, applied_tree=tree, verb="branch") == made
        assert ledger.records() == [made]
        assert ledger.get("qa-story") == made

        begun = ledger.begin("qa-story", started_here("branch", "ada"), phase="creating")
        assert (ledger.get("qa-story"), begun.phase) == (begun, "creating")

        tip = str(repo.head().commit)
        applied = Applied(commit=tip, tool="terraform", tool_version="1.14.0", when="2026-11-21T07:00:00Z")
        ready = replace(begun, phase="ready", operation=None, applied=applied)
        assert begun.operation is not None
        ledger.save(ready, tree, verb="branch", operation=begun.operation.id)
        assert ledger.get("qa-story") == ready
        assert ledger.applied("qa-story") == tree
        kept = f"refs/karrots/applied/{made.id}"
        assert repo.refs(kept) == {kept: tip}

        receipt = {"cluster": "qa-story", "id": made.id}
        ledger.retire(ready, receipt)
        assert ledger.records() == []
        assert ledger.receipts() == [receipt]
        assert ledger.receipt("qa-story") == ledger.receipt(made.id) == receipt
        assert repo.refs(kept) == {}
        fsck(repo.root)

    def test_the_log_is_the_audit_trail(self, ledger: Ledger) -> None:
        made = claim(ledger, record("qa-story"))
        operation = started_here("apply", "ada")
        begun = ledger.begin("qa-story", operation)
        claim(ledger, record("other"))
        ledger.retire(begun, {})
        assert log(ledger.repo) == [
            "destroy: qa-story is gone",
            "branch: other is claimed",
            "apply: qa-story is taken",
            "branch: qa-story is claimed",
        ]
        history = ledger.history("qa-story")
        assert [each.subject for each in history] == [log(ledger.repo)[place] for place in (0, 2, 3)]
        assert history[0].trailers == {
            "Karrots-Cluster": "qa-story",
            "Karrots-Operation": operation.id,
            "Karrots-Verb": "destroy",
        }
        assert history[0].author == "Ada Example"
        bodies = git(ledger.repo.root, "log", "--format=%b", REF)
        assert bodies.count("[skip ci]") == 4
        assert made.name == "qa-story"

    def test_anyone_can_read_it_with_git(self, ledger: Ledger) -> None:
        made = record("qa-story")
        tree = ledger.repo.tree_id("HEAD", "clusters/qa")
        ledger.claim("qa-story", lambda _: made, applied_tree=tree)
        assert git(ledger.repo.root, "ls-tree", "-r", "--name-only", "karrots/fleet").splitlines() == [
            "README.md",
            "clusters/qa-story/applied/cluster.yaml",
            "clusters/qa-story/applied/flux/kustomization.yaml",
            "clusters/qa-story/record.json",
        ]
        assert git(ledger.repo.root, "rev-parse", "karrots/fleet:clusters/qa-story/applied") == tree
        shown = git(ledger.repo.root, "show", "karrots/fleet:clusters/qa-story/record.json")
        assert json.loads(shown) == made.document()

    def test_neither_work_tree_nor_index_is_touched(self, ledger: Ledger) -> None:
        repo = ledger.repo
        (repo.root / "karrots.yaml").write_text("mine\n")
        (repo.root / "untracked").write_text("")
        git(repo.root, "add", "karrots.yaml")
        index, head = (repo.git_dir / "index").read_bytes(), repo.head()
        made = claim(ledger, record("qa-story"))
        ledger.save(replace(made, phase="ready"))
        ledger.refresh()
        ledger.retire(made, {})
        assert ((repo.git_dir / "index").read_bytes(), repo.head()) == (index, head)
        assert git(repo.root, "status", "--porcelain") == "M  karrots.yaml\n?? untracked"


class TestGuards:
    def test_a_taken_name_says_whose_it_is(self, ledger: Ledger) -> None:
        claim(ledger, record("qa", owner="bo@example.com", branch="main"))
        with pytest.raises(NameTaken) as caught:
            claim(ledger, record("qa"))
        assert caught.value.message == "the name 'qa' is taken"
        assert caught.value.why == "bo@example.com has it for the branch 'main' since 2026-11-21T07:00:00Z"
        assert caught.value.hint.endswith("karrots show qa")
        assert len(log(ledger.repo)) == 1

    def test_a_name_can_be_used_again(self, ledger: Ledger) -> None:
        first = claim(ledger, record("qa"))
        ledger.retire(first, {"id": first.id})
        second = claim(ledger, record("qa"))
        ledger.retire(first, {"id": first.id})
        assert ledger.get("qa") == second
        ledger.retire(second, {"id": second.id})
        assert {each["id"] for each in ledger.receipts()} == {first.id, second.id}
        assert ledger.receipt("qa") == {"id": max(first.id, second.id)}

    def test_ranges_are_leased_in_the_same_swap_and_never_overlap(self, ledger: Ledger) -> None:
        def build(name: str) -> Callable[[View], Record]:
            return lambda view: record(name, network=lease("10.64.0.0/16", 20, [r.network for r in view.records]))

        made = [ledger.claim(f"c{place}", build(f"c{place}")) for place in range(3)]
        assert [each.network for each in made] == ["10.64.0.0/20", "10.64.16.0/20", "10.64.32.0/20"]
        with pytest.raises(RangeTaken, match=r"10\.64\.18\.0/24 cannot be had for 'd'") as caught:
            claim(ledger, record("d", network="10.64.18.0/24"))
        assert "'c1'" in caught.value.why

    def test_one_operation_at_a_time(self, ledger: Ledger) -> None:
        made = claim(ledger, record("qa"))
        mine, theirs = started_here("apply", "ada"), elsewhere(started_here("destroy", "bo"))
        begun = ledger.begin("qa", theirs)
        uses: tuple[Callable[[], object], ...] = (
            lambda: ledger.begin("qa", mine),
            lambda: ledger.begin("qa", mine, take_over=theirs.id),
            lambda: ledger.save(replace(made, phase="ready")),
            lambda: ledger.retire(made, {}),
        )
        for use in uses:
            with pytest.raises(InUse) as caught:
                use()
            assert caught.value.message == "'qa' is being worked on"
            assert caught.value.why.startswith("bo runs destroy on elsewhere, process ")
            assert f"until {theirs.until}" in caught.value.why
        assert ledger.begin("qa", theirs) == begun
        ledger.save(replace(begun, operation=None), operation=theirs.id)
        assert ledger.begin("qa", mine).operation == mine

    def test_a_lease_whose_process_is_gone_is_taken_over_after_saying_so(self, ledger: Ledger) -> None:
        claim(ledger, record("qa"))
        dead = replace(started_here("branch", "ada"), pid=1 << 22)
        ledger.begin("qa", dead)
        said: list[str] = []
        mine = ledger.begin("qa", started_here("branch", "bo"), say=said.append)
        (line,) = said
        assert line.startswith("taking the cluster over from ada: ada runs branch on ")
        assert line.endswith("that process is gone")
        ledger.save(replace(mine, phase="ready"))

    @pytest.mark.parametrize("where", ["here", "elsewhere"])
    def test_a_lease_that_is_over_is_taken_over_only_by_typing_so(self, ledger: Ledger, where: str) -> None:
        claim(ledger, record("qa"))
        theirs = over(started_here("apply", "bo"))
        ledger.begin("qa", elsewhere(theirs) if where == "elsewhere" else theirs)
        mine = started_here("destroy", "ada")
        for typed in ("", "qa", mine.id):
            with pytest.raises(InUse) as caught:
                ledger.begin("qa", mine, take_over=typed, command="karrots destroy qa")
            assert caught.value.hint.endswith(f"karrots destroy qa --take-over {theirs.id}")
            assert ("is not its id" in caught.value.why) == bool(typed)
        said: list[str] = []
        begun = ledger.begin("qa", mine, take_over=theirs.id, say=said.append)
        assert begun.operation == replace(mine, fenced=theirs.id)
        assert "whatever it still does is refused" in said[0]

    def test_a_name_that_means_another_cluster_by_now_is_not_taken(self, ledger: Ledger) -> None:
        """Destroyed and made anew while somebody was asked for the name."""
        first = claim(ledger, record("qa"))
        ledger.retire(first, {})
        second = claim(ledger, record("qa"))
        with pytest.raises(NotFound, match="not in the ledger any more"):
            ledger.begin("qa", started_here("destroy"), cluster=first.id)
        assert ledger.get("qa") == second

    def test_a_gone_cluster_is_not_saved_back(self, ledger: Ledger) -> None:
        made = claim(ledger, record("qa"))
        ledger.retire(made, {})
        with pytest.raises(NotFound, match="not in the ledger any more"):
            ledger.save(made)
        claim(ledger, record("qa"))
        with pytest.raises(NotFound, match="not in the ledger any more") as caught:
            ledger.save(made)
        assert caught.value.why == "another one has its name now"

    def test_a_name_nearly_right_is_suggested(self, ledger: Ledger) -> None:
        claim(ledger, record("qa-feature-1234"))
        with pytest.raises(NotFound) as caught:
            ledger.get("qa-feature-1243")
        assert caught.value.message == "there is no cluster 'qa-feature-1243'"
        assert caught.value.why == "did you mean 'qa-feature-1234'?"

    @pytest.mark.parametrize("name", ["", "../x", "--help", "$(id)", "a\0b", "a\nb", "x" * 300, "ä"])
    def test_hostile_names_are_simply_not_there(self, ledger: Ledger, name: str) -> None:
        claim(ledger, record("qa"))
        assert ledger.find(name) is None
        assert ledger.receipt(name) is None
        assert ledger.history(name) == []
        with pytest.raises(NotFound):
            ledger.get(name)

    def test_nothing_new_publishes_nothing(self, ledger: Ledger) -> None:
        made = claim(ledger, record("qa"))
        ledger.save(made)
        assert ledger.publish(lambda _: {}, "nothing") == ledger.view().commit
        assert len(log(ledger.repo)) == 1

    def test_what_an_edit_raises_changes_nothing(self, ledger: Ledger) -> None:
        def refuse(view: View) -> dict[str, bytes]:
            raise Refused("no")

        with pytest.raises(Refused):
            ledger.publish(refuse, "never")
        assert ledger.view().commit is None

    def test_trailers_stay_on_their_lines(self, ledger: Ledger) -> None:
        ledger.publish(lambda _: {"x": b""}, "note", {"Karrots-Verb": "x\n\nKarrots-Cluster: prod"})
        (entry,) = ledger.repo.commits_between(None, REF)
        assert entry.trailers == {"Karrots-Verb": "x Karrots-Cluster: prod"}

    def test_a_checked_out_ledger_is_not_moved_under_the_files(self, ledger: Ledger) -> None:
        claim(ledger, record("qa"))
        git(ledger.repo.root, "checkout", "--quiet", "karrots/fleet")
        with pytest.raises(Refused, match="is checked out") as caught:
            claim(ledger, record("prod"))
        assert caught.value.hint.endswith("switch -")
        assert [each.name for each in ledger.records()] == ["qa"]


class TestFencing:
    """A holder that was stopped for longer than its lease, taken over, and wakes."""

    @pytest.fixture
    def late(self, ledger: Ledger) -> Record:
        """What the stopped one knows."""
        claim(ledger, record("qa"))
        return ledger.begin("qa", over(started_here("apply", "bo")))

    @pytest.fixture(params=["works", "has finished", "has destroyed it", "has made it anew"])
    def taken(self, ledger: Ledger, late: Record, request: pytest.FixtureRequest) -> str:
        """How far the one who took over is; the state of the ledger then."""
        assert late.operation is not None
        mine = started_here("destroy", "ada")
        begun = ledger.begin("qa", mine, take_over=late.operation.id)
        if request.param == "has finished":
            ledger.save(replace(begun, operation=None, phase="ready"), operation=mine.id)
        elif request.param != "works":
            ledger.retire(begun, {"by": "ada", "destroyed": "2026-11-21T07:00:00Z", "id": begun.id})
        if request.param == "has made it anew":
            claim(ledger, record("qa"))
        return str(ledger.view().commit)

    def acts(self, ledger: Ledger, late: Record) -> tuple[Callable[[], object], ...]:
        held = late.operation
        assert held is not None
        return (
            lambda: ledger.save(replace(late, phase="ready")),
            lambda: ledger.save(replace(late, phase="ready", operation=None), operation=held.id),
            lambda: ledger.save(replace(late, phase="failed", operation=None), late.id, operation=held.id),
            lambda: ledger.retire(late, {"id": late.id}),
            lambda: ledger.renew(late, replace(held, until="2999-01-01T00:00:00Z")),
        )

    def test_it_publishes_nothing(self, ledger: Ledger, late: Record, taken: str) -> None:
        for act in self.acts(ledger, late):
            with pytest.raises(LostCluster, match=r"^lost the cluster 'qa' to (ada|Ada Example), since 2") as caught:
                act()
            assert caught.value.code == ExitCode.LOCKED
            assert caught.value.why.endswith("; nothing was written")
        assert ledger.view().commit == taken

    def test_one_that_was_not_taken_over_goes_on(self, ledger: Ledger, late: Record) -> None:
        assert late.operation is not None
        longer = replace(late.operation, until="2999-01-01T00:00:00Z")
        renewed = ledger.renew(late, longer)
        assert ledger.get("qa") == renewed == replace(late, operation=longer)
        ledger.save(replace(renewed, operation=None), operation=longer.id)

    def test_a_second_time_is_the_same(self, ledger: Ledger, late: Record) -> None:
        """A push whose answer was lost is made again, and finds itself published."""
        assert late.operation is not None
        tree = ledger.repo.tree_id("HEAD", "clusters/qa")
        for _ in range(2):
            ledger.save(replace(late, operation=None, phase="ready"), tree, operation=late.operation.id)
        gone = ledger.begin("qa", started_here("destroy"))
        for _ in range(2):
            ledger.retire(gone, {"id": gone.id})
        assert len(log(ledger.repo)) == 5


class TestBrokenRecords:
    def put(self, ledger: Ledger, files: dict[str, bytes | None]) -> None:
        ledger.publish(lambda _: dict(files), "by hand")

    def test_a_broken_one_is_named(self, ledger: Ledger) -> None:
        claim(ledger, record("qa"))
        self.put(ledger, {"clusters/bad/record.json": b"{"})
        for use in (ledger.records, lambda: ledger.find("bad")):
            with pytest.raises(Failed, match=r"'clusters/bad/record\.json'"):
                use()
        assert ledger.get("qa").name == "qa"

    def test_one_of_a_newer_karrots_asks_for_an_upgrade(self, ledger: Ledger) -> None:
        text = json.dumps({**record("new").document(), "schema": 2})
        self.put(ledger, {"clusters/new/record.json": text.encode()})
        with pytest.raises(UsageError, match="newer karrots"):
            ledger.get("new")

    def test_one_in_anothers_folder_is_refused(self, ledger: Ledger) -> None:
        self.put(ledger, {"clusters/prod/record.json": to_json(record("qa")).encode()})
        with pytest.raises(Failed) as caught:
            ledger.get("prod")
        assert caught.value.why == "it is that of 'qa'"

    def test_a_folder_without_one_is_no_cluster(self, ledger: Ledger) -> None:
        self.put(ledger, {"clusters/notes/text": b"hello", "clusters/file": b""})
        assert ledger.records() == []
        assert ledger.find("notes") is None

    def test_a_broken_receipt_is_named(self, ledger: Ledger) -> None:
        self.put(ledger, {f"gone/qa-{'0' * 26}.json": b"["})
        with pytest.raises(Failed, match="the receipt 'qa-0000"):
            ledger.receipts()


class TestShared:
    @pytest.fixture
    def bare(self, repo: Repository, tmp_path: Path) -> Path:
        return bare_remote(tmp_path / "fleet.git", repo.root)

    @pytest.fixture
    def mine(self, repo: Repository, bare: Path) -> Ledger:
        return Ledger(repo, "origin")

    @pytest.fixture
    def theirs(self, bare: Path, tmp_path: Path) -> Ledger:
        return Ledger(clone(bare, tmp_path / "theirs"), "origin")

    def test_what_one_publishes_the_other_sees(self, mine: Ledger, theirs: Ledger, bare: Path) -> None:
        made = claim(mine, record("qa"))
        assert git(bare, "rev-parse", REF) == mine.view().commit
        assert theirs.records() == []
        theirs.refresh()
        assert theirs.records() == [made]
        fsck(bare)

    def test_an_old_view_neither_wins_nor_misleads(self, mine: Ledger, theirs: Ledger) -> None:
        made = claim(mine, record("qa"))
        with pytest.raises(NameTaken):
            claim(theirs, record("qa"))
        mine.retire(made, {})
        # Here the name still looks taken; only a fresh look tells that it is not.
        again = claim(theirs, record("qa"))
        mine.refresh()
        assert mine.records() == theirs.records() == [again]

    def test_both_go_on_from_each_other(self, mine: Ledger, theirs: Ledger) -> None:
        for place in range(3):
            claim(mine, record(f"mine-{place}"))
            claim(theirs, record(f"theirs-{place}"))
        mine.refresh()
        assert [each.name for each in mine.records()] == [each.name for each in theirs.records()]
        assert len(mine.records()) == 6
        assert len(log(mine.repo)) == 6

    def test_a_lost_mirror_comes_back(self, mine: Ledger) -> None:
        made = claim(mine, record("qa"))
        for ref in mine.repo.refs("refs/heads/karrots/", "refs/karrots/"):
            git(mine.repo.root, "update-ref", "-d", ref)
        assert mine.records() == []
        other = claim(mine, record("prod"))
        assert mine.records() == [other, made]

    def test_a_mirror_left_behind_by_a_crash_never_overwrites(self, mine: Ledger) -> None:
        """Killed between the push and moving the branch here."""
        claim(mine, record("a"))
        behind = mine.view().commit
        claim(mine, record("b"))
        git(mine.repo.root, "update-ref", REF, str(behind))
        claim(mine, record("c"))
        assert [each.name for each in mine.records()] == ["a", "b", "c"]

    def test_a_ledger_from_before_the_remote_is_pushed(self, repo: Repository, tmp_path: Path) -> None:
        claim(Ledger(repo), record("a"))
        bare = bare_remote(tmp_path / "fleet.git", repo.root)
        git(bare, "update-ref", "-d", REF)
        shared = Ledger(repo, "origin")
        shared.refresh()
        assert [each.name for each in shared.records()] == ["a"]
        claim(shared, record("b"))
        assert git(bare, "log", "--format=%s", REF).splitlines() == ["branch: b is claimed", "branch: a is claimed"]

    def test_two_ledgers_with_separate_histories_are_not_mixed(self, mine: Ledger, theirs: Ledger) -> None:
        claim(theirs, record("b"))
        claim(Ledger(mine.repo), record("a"))
        for use in (mine.refresh, lambda: claim(mine, record("c"))):
            with pytest.raises(Failed, match="went separate ways") as caught:
                use()
            assert caught.value.hint.startswith("git log --oneline --graph karrots/fleet ")
        assert [each.name for each in mine.records()] == ["a"]
        assert log(theirs.repo) == ["branch: b is claimed"]

    def test_a_ledger_moved_back_at_the_remote_is_noticed(self, mine: Ledger, theirs: Ledger, bare: Path) -> None:
        claim(mine, record("a"))
        first = str(mine.view().commit)
        claim(mine, record("b"))
        git(bare, "update-ref", REF, first)
        theirs.refresh()
        claim(theirs, record("c"))
        with pytest.raises(Failed, match="went separate ways"):
            mine.refresh()

    def test_a_remote_that_refuses_is_said_and_nothing_is_kept(self, mine: Ledger, bare: Path) -> None:
        hook = bare / "hooks" / "update"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
        with pytest.raises(Refused, match="does not take 'karrots/fleet'"):
            claim(mine, record("qa"))
        assert mine.records() == []

    def test_the_applied_tree_travels_with_the_ledger(self, mine: Ledger, theirs: Ledger) -> None:
        tip = commit(mine.repo.root, {"clusters/qa/new.yaml": "never pushed\n"})
        tree = mine.repo.tree_id(tip, "clusters/qa")
        made = record("qa")
        mine.claim("qa", lambda _: made, applied_tree=tree)
        theirs.refresh()
        assert theirs.repo.read(REF, "clusters/qa/applied/new.yaml") == b"never pushed\n"
        assert theirs.repo.resolve(tip) is None
        theirs.save(replace(made, applied=Applied(commit=tip, tool="x", tool_version="1", when="")))

    def test_other_branches_of_the_remote_are_left_alone(self, mine: Ledger, bare: Path) -> None:
        before = git(bare, "for-each-ref", "refs/heads/main")
        claim(mine, record("qa"))
        mine.refresh()
        assert git(bare, "for-each-ref", "refs/heads/main") == before
        assert {line.split("\t")[1] for line in git(bare, "for-each-ref").splitlines()} == {"refs/heads/main", REF}

    def test_when_the_race_is_lost_for_too_long_it_ends(self, mine: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("karrots.fleet.ledger.PATIENCE", 0.2)

        def always_first(view: View) -> dict[str, bytes]:
            other = git(
                mine.repo.root, "commit-tree", "-m", "x", *(["-p", view.commit] if view.commit else []), "HEAD^{tree}"
            )
            git(mine.repo.root, "push", "--quiet", "origin", f"{other}:{REF}")
            return {"mine": b"1"}

        with pytest.raises(Locked, match="could not be written"):
            mine.publish(always_first, "never")
