"""Promotion and the way back in the fast world: seen Ready, killed in between and run again, and raced."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from karrots.errors import ExitCode
from karrots.ops.moving import Options
from karrots.ops.promote import PromoteOptions, promote
from karrots.ops.rebase import rebase
from karrots.ops.settings import Settings
from karrots.steps.moving import MovedMeanwhile
from tests.torture.fast import FastWorld, fast_world
from tests.torture.kills import planned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from karrots.report.events import Event
    from tests.torture.zygote import Ended

DEPLOYMENT = "clusters/qa/flux/apps/hello/deployment.yaml"
BRANCH = "feature/story"


@dataclass(frozen=True)
class Story:
    """Qa on main and a copy with one commit that changes an image; the copy's branch is checked out."""

    world: FastWorld
    main: str
    commit: str

    def does(self, *words: str, expect: int = 0) -> Ended:
        done = self.world.karrots(*words)
        assert (done.status, done.signal) == (expect, 0), f"{words}: {done.status}\n{done.out}\n{done.err}"
        return done

    def document(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.does(*words, "-o", "json").out)
        return found

    def head(self, branch: str, *, remote: bool = False) -> str:
        return self.world.branches(remote=remote)[branch]

    def image(self, rev: str) -> str:
        return next(line for line in self.world.git("show", f"{rev}:{DEPLOYMENT}").splitlines() if "image:" in line)

    def runs(self, name: str) -> str:
        """The commit that the cluster's Flux has applied."""
        record = self.world.records()[name]
        found = self.world.objects(record)["Kustomization/flux-system/apps"]["revision"]
        return str(found).rpartition(":")[2]

    def applied(self, name: str) -> str:
        found = self.world.records()[name].applied
        return found.commit if found else ""

    def change(self, path: str, before: str, after: str, message: str = "Change") -> str:
        text = (self.world.fleet / path).read_text()
        assert before in text
        return self.world.commit(path, text.replace(before, after), message)

    def settings(self, ask: Callable[[str], bool]) -> Settings:
        return Settings(self.world.qa, Silent(), ask, argv="karrots promote story")


class Silent:
    def emit(self, event: Event) -> None:
        """Says nothing."""

    def close(self) -> None:
        """Holds nothing."""


def begun(world: FastWorld) -> Iterator[FastWorld]:
    for words in (("create",), ("branch", BRANCH, "story")):
        ended = world.karrots(*words)
        assert ended.status == 0, ended.err
    yield world


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastWorld]:
    with fast_world(tmp_path_factory.mktemp("moves") / "world") as made:
        yield from begun(made)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastWorld]:
    with fast_world(tmp_path_factory.mktemp("moves") / "world", remote=True) as made:
        yield from begun(made)


def told(world: FastWorld, monkeypatch: pytest.MonkeyPatch) -> Story:
    """The clusters stay from test to test, the branches begin anew."""
    for name, value in world.env.items():
        monkeypatch.setenv(name, value)
    first = world.git("rev-list", "--max-parents=0", "main")
    world.git("switch", "-q", "--detach")
    world.git("reset", "-q", "--hard", first)
    world.git("clean", "-qfd")
    for branch in ("main", BRANCH):
        world.git("branch", "-qf", branch, first)
    world.git("switch", "-q", BRANCH)
    made = Story(world, first, "")
    made = replace(made, commit=made.change(DEPLOYMENT, "nginx:1.29", "nginx:1.30"))
    if world.remote is not None:
        world.git("push", "-qf", "origin", "main", BRANCH)
    return made


@pytest.fixture
def story(alone: FastWorld, monkeypatch: pytest.MonkeyPatch) -> Story:
    return told(alone, monkeypatch)


@pytest.fixture
def shared_story(shared: FastWorld, monkeypatch: pytest.MonkeyPatch) -> Story:
    return told(shared, monkeypatch)


def test_promoted_and_seen_ready_and_taken_back_and_brought_back(story: Story) -> None:
    before = story.world.git("status", "--porcelain"), story.world.git("rev-parse", "HEAD")
    made = story.document("promote", "story", "--yes")
    merge = story.head("main")
    assert (made["kind"], made["cluster"], made["commit"]) == ("Promotion", "qa", merge)
    assert made["flux_ready"] == made["flux_objects"] > 0
    assert story.world.git("rev-list", "--parents", "-1", merge).split() == [merge, story.main, story.commit]
    assert (story.world.git("status", "--porcelain"), story.world.git("rev-parse", "HEAD")) == before
    assert (story.runs("qa"), story.applied("qa")) == (merge, merge)
    assert "Karrots-Story: " + story.world.records()["story"].id in story.world.git("show", "-s", merge)

    assert story.document("promote", "story", "--yes")["preview"] is None, "done already, it is only looked at"
    assert story.head("main") == merge

    back = story.document("rollback", "qa", "--yes")
    assert (back["kind"], back["commit"]) == ("Rollback", story.head("main"))
    assert story.world.git("diff", story.main, "main") == ""
    assert (story.runs("qa"), story.applied("qa")) == (back["commit"], back["commit"])
    assert story.document("rollback", "qa", "--yes")["preview"] is None, "its own rollback is not taken back"
    assert story.head("main") == back["commit"]

    again = story.document("promote", "story", "--yes")
    assert again["preview"]["brings_back"] == [back["commit"]], "git alone holds the story for merged"
    assert "nginx:1.30" in story.image("main")
    assert story.runs("qa") == again["commit"]
    assert story.document("promote", "story", "--yes")["preview"] is None
    verbs = [event["verb"] for event in story.document("history", "qa")["events"] if event["source"] == "branch"]
    assert verbs[:3] == ["promote", "rollback", "promote"]


def test_a_story_goes_on_after_it_was_rolled_back(story: Story) -> None:
    """A further commit alone would be merged without what was taken back."""
    story.does("promote", "story", "--yes")
    back = story.document("rollback", "qa", "--yes")["commit"]
    story.world.commit("clusters/qa/flux/apps/hello/note.yaml", "# a note\n")
    seen = story.document("promote", "story", "--yes")["preview"]
    assert seen["brings_back"] == [back]
    assert story.world.git("diff", BRANCH, "main") == ""


def test_a_rebase_keeps_what_was_rolled_back_on_the_parent(story: Story) -> None:
    """A plain merge would take it out of the story too."""
    story.does("promote", "story", "--yes")
    back = story.document("rollback", "qa", "--yes")["commit"]
    done = story.document("rebase", "story", "--yes")
    assert (done["kind"], done["preview"]["brings_back"]) == ("Rebase", [back])
    assert "nginx:1.30" in story.image(BRANCH)
    assert story.world.git("status", "--porcelain") == ""
    assert story.runs("story") == done["commit"] == story.head(BRANCH)
    assert story.document("promote", "story", "--yes")["preview"]["brings_back"] == []
    assert "nginx:1.30" in story.image("main")


def test_a_rollback_after_a_rebase_is_of_the_story_too(story: Story) -> None:
    story.does("promote", "story", "--yes")
    story.does("rebase", "story", "--yes")
    back = story.document("rollback", "qa", "--yes")["commit"]
    assert story.document("promote", "story", "--yes")["preview"]["brings_back"] == [back]
    assert "nginx:1.30" in story.image("main")


def test_what_was_rolled_back_before_the_story_began_stays_so(story: Story) -> None:
    story.world.git("switch", "-q", "main")
    story.world.git("switch", "-qc", "other")
    story.world.commit("clusters/qa/flux/other.yaml", "# other\n")
    story.world.git("switch", "-q", "main")
    story.world.git("merge", "-q", "--no-ff", "--no-edit", "other")
    story.world.git("switch", "-q", BRANCH)
    story.world.git("merge", "-q", "--no-edit", "main")
    story.does("rollback", "qa", "--yes")
    assert story.document("promote", "story", "--yes")["preview"]["brings_back"] == []
    assert "clusters/qa/flux/other.yaml" not in story.world.git("ls-tree", "-r", "--name-only", "main")
    story.world.git("branch", "-qD", "other")


def test_a_branch_that_is_checked_out_moves_with_its_files(story: Story) -> None:
    story.world.git("switch", "-q", "main")
    story.does("promote", "story", "--yes")
    assert "nginx:1.30" in (story.world.fleet / DEPLOYMENT).read_text()
    assert story.world.git("status", "--porcelain") == ""
    story.does("rollback", "qa", "--yes")
    assert "nginx:1.29" in (story.world.fleet / DEPLOYMENT).read_text()
    assert story.world.git("status", "--porcelain") == ""
    story.world.git("switch", "-q", BRANCH)


def test_without_a_yes_nothing_is_moved(story: Story) -> None:
    before = story.world.branches()
    for words in (("promote", "story"), ("rollback", "story")):
        assert "add --yes" in story.does(*words, "--no-input", expect=ExitCode.REFUSED).err
        assert story.world.branches() == before


def test_a_parent_that_moves_while_somebody_thinks(story: Story) -> None:
    """The one who commits wins, and the other is told; nothing of theirs is lost."""
    repo = story.world

    def thinks(_: str) -> bool:
        repo.git("update-ref", "refs/heads/main", repo.git("commit-tree", "-p", "main", "-m", "First", "main^{tree}"))
        return True

    with pytest.raises(MovedMeanwhile) as caught:
        promote(story.settings(thinks), "story", PromoteOptions())
    assert "'main' moved while you looked at it" in caught.value.message
    assert "Ada Example: First" in caught.value.why
    assert caught.value.code == ExitCode.LOCKED
    assert repo.git("log", "-1", "--format=%s", "main") == "First"
    story.does("promote", "story", "--yes")
    assert "nginx:1.30" in story.image("main")


def test_a_parent_that_moves_at_the_remote(shared_story: Story) -> None:
    story, world = shared_story, shared_story.world

    def thinks(_: str) -> bool:
        theirs = world.git("commit-tree", "-p", "main", "-m", "First", "main^{tree}")
        world.git("push", "-q", "origin", f"{theirs}:refs/heads/main")
        return True

    with pytest.raises(MovedMeanwhile, match="'main' moved"):
        promote(story.settings(thinks), "story", PromoteOptions())
    assert story.head("main") == story.main
    done = story.document("promote", "story", "--yes")
    assert story.head("main") == story.head("main", remote=True) == done["commit"]
    assert world.git("log", "--format=%s", "--first-parent", "-2", "main").splitlines()[1] == "First"


def test_a_rebase_pushes_the_story_and_follows_the_remotes_parent(shared_story: Story) -> None:
    world = shared_story.world
    theirs = world.git("commit-tree", "-p", "main", "-m", "Theirs", "main^{tree}")
    world.git("push", "-q", "origin", f"{theirs}:refs/heads/main")
    done = rebase(shared_story.settings(lambda _: True), "story", Options())
    assert done.commit == shared_story.head(BRANCH) == shared_story.head(BRANCH, remote=True)
    assert [row.subject for row in done.preview.commits] == ["Theirs"] if done.preview else False
    assert shared_story.runs("story") == done.commit


PUSHED = "match='run git push' at=1"
MOVED = "match='run git update-ref' at=1"


@pytest.mark.parametrize(
    ("plan", "there", "here"),
    [
        (f"{PUSHED} when=before kind=kill", False, False),
        (f"{PUSHED} when=after kind=kill", True, False),
        (f"{MOVED} when=after kind=kill", True, True),
    ],
    ids=["merged, not pushed", "pushed, not here", "here, not verified"],
)
def test_killed_in_between_and_run_again(shared_story: Story, plan: str, there: bool, here: bool) -> None:
    story, world = shared_story, shared_story.world
    before = story.applied("qa")
    ended = world.karrots("promote", "story", "--yes", **planned(plan))
    assert ended.signal == signal.SIGKILL, ended.err
    assert (story.head("main", remote=True) != story.main, story.head("main") != story.main) == (there, here)
    assert story.applied("qa") == before, "nobody has seen it Ready yet"
    story.does("promote", "story", "--yes")
    merge = story.head("main")
    assert story.head("main", remote=True) == story.runs("qa") == story.applied("qa") == merge
    assert world.git("rev-list", "--count", "--first-parent", f"{story.main}..main") == "1", "merged once"
    assert world.left() == []


def test_a_rollback_killed_before_it_was_verified_goes_on(shared_story: Story) -> None:
    story, world = shared_story, shared_story.world
    story.does("promote", "story", "--yes")
    ended = world.karrots("rollback", "qa", "--yes", **planned(f"{PUSHED} when=after kind=kill"))
    assert ended.signal == signal.SIGKILL, ended.err
    story.does("rollback", "qa", "--yes")
    assert world.git("diff", story.main, "main") == ""
    assert story.head("main", remote=True) == story.runs("qa") == story.head("main")
