"""SIGKILL on real parts: of karrots itself, and of the programs that work for it.

A seed fixes the verb, the moment, the victim and what is done afterwards. The moment is one of real time, so the same
seed strikes at the same place as far as the computer takes the same time.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import psutil

from karrots import places
from karrots.engine import cluster
from karrots.errors import ExitCode
from karrots.pipeline import journal_lines
from tests.support.repositories import git
from tests.torture.frame import Torture, Wrong
from tests.torture.real_world import DOCUMENTED, Content, Ended, Held, Picture, RealWorld, real_world

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.torture.frame import Place

Verb = Literal["create", "branch", "sync", "apply", "destroy"]

MOTHER = "mother"  # runs from seed to seed: what is branched, synced, applied and destroyed
SETTLING = 30.0  # seconds
CALLS = 1_000_000  # more calls of git than any run makes
COMPONENTS = (
    "etcd", "kube-apiserver", "kube-controller-manager", "source-controller", "kustomize-controller",
    "helm-controller", "git-server",
)  # fmt: skip
VICTIMS = ("terraform", "terraform and its children", "git", *COMPONENTS)
# In place of git: counts down to the call it kills, with the time that call is given.
COUNTING_GIT = """#!/bin/sh
read -r left <"{here}/left"
[ "$left" -gt 0 ] || exec "{git}" "$@"
left=$((left - 1))
echo "$left" >"{here}/left"
[ "$left" -eq 0 ] || exec "{git}" "$@"
read -r delay <"{here}/delay"
exec 3<&0
"{git}" "$@" <&3 3<&- &
sleep "$delay"
kill -9 $! $$
"""


@dataclass(frozen=True)
class Usual:
    """An undisturbed run: seconds, lines of its journal, calls of git."""

    seconds: float
    lines: int
    calls: int


@dataclass(frozen=True)
class Moment:
    """A share of the undisturbed run, by the clock or by the lines of the journal, and then `delay` more seconds."""

    share: float
    by_line: bool = False
    delay: float = 0.0

    @classmethod
    def drawn(cls, draw: random.Random) -> Moment:
        return cls(draw.random(), draw.random() < 0.5, draw.choice((0.0, draw.uniform(0, 0.05))))


@dataclass(frozen=True)
class Aim:
    """One verb on one cluster. `words` is its command line."""

    verb: Verb
    name: str
    words: tuple[str, ...]
    branch: str = "main"

    @classmethod
    def of(cls, verb: Verb, label: str) -> Aim:
        if verb == "create":
            return cls(verb, f"made-{label}", ("create", f"made-{label}"))
        if verb == "branch":
            words = ("branch", f"story/{label}", f"story-{label}")
            return cls(verb, f"story-{label}", words, f"story/{label}")
        return cls(verb, MOTHER, (verb, MOTHER, "--yes") if verb == "destroy" else (verb, MOTHER))


@dataclass
class Stage:
    """A world with what its seeds share: the mother, undisturbed runs, and how each content looks undisturbed."""

    world: RealWorld
    content: Content = field(default_factory=Content)
    looks: dict[Content, Picture] = field(default_factory=dict)
    usual: dict[Verb, Usual] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)

    def prepare(self, verb: Verb) -> Usual:
        """All that the verb needs is there, and something for it to do."""
        self.world.change(self.content)
        self._look()
        if verb != "create":
            self._need_mother()
        if verb not in self.usual:
            self._measure(verb)
            return self.prepare(verb)
        if verb in ("sync", "apply"):
            self._change(verb)
        return self.usual[verb]

    def _need_mother(self) -> None:
        if self.world.record(MOTHER) is None:
            self.world.karrots("create", MOTHER)

    def _change(self, verb: Verb) -> None:
        old = self.content
        infrastructure = 1 - old.infrastructure if verb == "apply" else old.infrastructure
        self.content = Content(infrastructure, 1 - old.image)
        self.world.change(self.content)
        self._look()

    def _look(self) -> None:
        """How a cluster made from this content looks when nobody disturbs it."""
        if self.content not in self.looks:
            self._timed(Aim.of("create", "look"), "create")
            self.looks[self.content] = self.world.picture("made-look")
            self._timed(Aim("destroy", "made-look", ("destroy", "made-look", "--yes")), "destroy")

    def _measure(self, verb: Verb) -> None:
        if verb in ("sync", "apply"):
            self._change(verb)
        self._timed(Aim.of(verb, "look"), verb)
        if verb == "branch":
            self.world.karrots("destroy", "story-look", "--yes")
            self.world.forget_branch("story/look")

    def _timed(self, aim: Aim, verb: Verb) -> None:
        git_calls = CountingGit.placed(self.world.root / "git-wrapper", CALLS)
        began, before = time.monotonic(), set(_runs())
        ended = self.world.finish(self.world.start(*aim.words, path=git_calls.folder))
        if ended.status != 0:
            raise Wrong(f"undisturbed, {aim.verb} ended with {ended.status}: {ended.said()}")
        lines = sum(len(list(journal_lines(run))) for run in set(_runs()) - before)
        self.usual[verb] = Usual(time.monotonic() - began, lines, CALLS - git_calls.left())

    def compare(self, aim: Aim) -> None:
        """The cluster looks as if nobody had disturbed the verb. Raises Wrong.

        A controller that was started again looks at all of its objects anew, so they get a moment to be Ready again.
        """
        until = time.monotonic() + SETTLING
        while found := self._differences(aim):
            if time.monotonic() > until:
                raise Wrong(f"{aim.verb} ended otherwise than undisturbed: {'; '.join(found)[:1500]}")
            time.sleep(0.2)

    def _differences(self, aim: Aim) -> list[str]:
        seen, wanted = self.world.picture(aim.name), self.looks[self.content]
        main = git(self.world.directory, "rev-parse", "refs/heads/main")
        parent = seen.record["parent"]
        if (parent is None) != (aim.verb != "branch") or (parent and parent["commit"] != main):
            return [f"the parent of '{aim.name}' is {parent}"]
        record = wanted.record | {
            "applied": main, "parent": parent, "expires": seen.record["expires"], "branch": seen.record["branch"],
        }  # fmt: skip
        return list(seen.differences(Picture(record, main, wanted.applied, wanted.flux, wanted.objects)))

    def end(self, aim: Aim, held: Held) -> None:
        """Take it away and see that it is gone. Raises Wrong."""
        known = self.world.record(aim.name)
        held = Held(held.id or (known.id if known else ""), held.ports or self.world.held(known).ports)
        ended = self.world.karrots("destroy", aim.name, "--yes", expect=None)
        self.require_gone(aim, ended, held, was_known=known is not None)

    def require_gone(self, aim: Aim, ended: Ended, held: Held, *, was_known: bool) -> None:
        view = self.world.view()
        if ended.status != (ExitCode.DONE if was_known else ExitCode.NOT_FOUND):
            raise Wrong(f"destroy ended with {ended.status}: {ended.said()}")
        if view.find(aim.name) is not None or (held.id and view.receipt(held.id) is None):
            raise Wrong(f"'{aim.name}' is destroyed, but has a record or no receipt")
        self.world.check_gone(held)


@dataclass(frozen=True)
class CountingGit:
    folder: Path

    @classmethod
    def placed(cls, folder: Path, call: int, delay: float = 0.0) -> CountingGit:
        """Kill the call of that number, `delay` seconds after its start."""
        folder.mkdir(exist_ok=True)
        program = folder / "git"
        program.write_text(COUNTING_GIT.format(here=folder, git=shutil.which("git")))
        program.chmod(0o755)
        (folder / "left").write_text(f"{call}\n")
        (folder / "delay").write_text(f"{delay:.4f}\n")
        return cls(folder)

    def left(self) -> int:
        return int((self.folder / "left").read_text())


def _runs() -> list[Path]:
    folder = places.runs()
    return list(folder.iterdir()) if folder.is_dir() else []


def wait_for(process: subprocess.Popen[str], moment: Moment, usual: Usual, before: set[Path]) -> bool:
    """Until the moment; False when the run has ended before. `before`: the runs that were there before it."""
    began, line = time.monotonic(), 1 + int(moment.share * usual.lines)
    while process.poll() is None:
        if moment.by_line:
            come = any(len(list(journal_lines(run))) >= line for run in set(_runs()) - before)
        else:
            come = time.monotonic() - began >= moment.share * usual.seconds
        if come:
            time.sleep(moment.delay)
            return process.poll() is None
        time.sleep(0.002)
    return False


# SIGKILL of karrots


@dataclass(frozen=True)
class Kill:
    """What a seed says: the moments karrots is killed at, in turn, and whether to `go_on` or to destroy afterwards."""

    verb: Verb
    moments: tuple[Moment, ...]
    go_on: bool

    @classmethod
    def of(cls, seed: int) -> Kill:
        draw = random.Random(seed)
        verb: Verb = draw.choice(("create", "branch", "apply", "destroy"))
        moments = tuple(Moment.drawn(draw) for _ in range(draw.choice((1, 1, 1, 2))))
        return cls(verb, moments, draw.random() < 0.6)


def kill_karrots(stage: Stage, seed: int) -> None:
    plan = Kill.of(seed)
    usual = stage.prepare(plan.verb)
    aim = Aim.of(plan.verb, str(seed))
    world = stage.world
    held = world.held(world.record(aim.name))
    words = aim.words
    for moment in plan.moments:
        stage.seen["killed in time" if _killed(world, words, moment, usual) else "ended before"] += 1
        held = _more(held, world, aim)
        words = aim.words if plan.go_on else ("destroy", aim.name, "--yes")
    _conclude(stage, aim, held, go_on=plan.go_on)


def _killed(world: RealWorld, words: Sequence[str], moment: Moment, usual: Usual) -> bool:
    before, refs = set(_runs()), world.refs()
    process = world.start(*words)
    in_time = wait_for(process, moment, usual, before)
    if in_time:
        process.kill()
    process.wait()
    world.wait_for_orphans()
    world.check(refs)
    return in_time


def _more(held: Held, world: RealWorld, aim: Aim) -> Held:
    """What is known of it by now: a receipt or a folder that is gone tells nothing any more."""
    now = world.held(world.record(aim.name))
    return Held(held.id or now.id, held.ports or now.ports)


def _conclude(stage: Stage, aim: Aim, held: Held, *, go_on: bool) -> None:
    """Run it again, or destroy from there; a cluster that the seed made is taken away at the end."""
    world = stage.world
    refs = world.refs()
    if aim.verb != "destroy" and go_on:
        world.karrots(*aim.words)
        stage.compare(aim)
        held = _more(held, world, aim)
    if aim.name != MOTHER or not go_on or aim.verb == "destroy":
        stage.end(aim, held)
    world.wait_for_orphans()
    world.check(refs)
    if aim.verb == "branch":
        world.forget_branch(aim.branch)


# SIGKILL of what works for karrots


@dataclass(frozen=True)
class Strike:
    verb: Verb
    victim: str
    moment: Moment

    @classmethod
    def of(cls, seed: int) -> Strike:
        draw = random.Random(seed)
        verb: Verb = draw.choice(("create", "branch", "sync", "apply", "destroy"))
        return cls(verb, draw.choice(VICTIMS), Moment.drawn(draw))


def kill_child(stage: Stage, seed: int) -> None:
    plan = Strike.of(seed)
    usual = stage.prepare(plan.verb)
    aim, world = Aim.of(plan.verb, str(seed)), stage.world
    held, refs = world.held(world.record(aim.name)), world.refs()
    ended = _struck(world, aim, plan, usual)
    stage.seen[f"first run ended with {ended.status}"] += 1
    if ended.status not in DOCUMENTED:
        raise Wrong(f"{plan.verb} ended with {ended.status} when {plan.victim} was killed: {ended.said()}")
    world.wait_for_orphans()
    world.check(refs)
    _conclude(stage, aim, _more(held, world, aim), go_on=True)


def _struck(world: RealWorld, aim: Aim, plan: Strike, usual: Usual) -> Ended:
    if plan.victim == "git":
        call = 1 + int(plan.moment.share * usual.calls)
        path = CountingGit.placed(world.root / "git-wrapper", call, plan.moment.delay).folder
        return world.finish(world.start(*aim.words, path=path))
    before, others = set(_runs()), {status.id for status in cluster.clusters() if aim.name != MOTHER}
    process = world.start(*aim.words)
    if wait_for(process, plan.moment, usual, before):
        _kill_when_there(process, _finder(plan.victim, process, others))
    return world.finish(process)


def _kill_when_there(process: subprocess.Popen[str], find: Callable[[], list[psutil.Process]]) -> None:
    while process.poll() is None:
        with suppress(psutil.Error):
            if found := find():
                for each in found:
                    each.kill()
                return
        time.sleep(0.002)


def _finder(victim: str, karrots: subprocess.Popen[str], others: set[str]) -> Callable[[], list[psutil.Process]]:
    def terraform() -> list[psutil.Process]:
        children = psutil.Process(karrots.pid).children()
        found = [child for child in children if any(os.path.basename(word) == "terraform" for word in child.cmdline())]  # noqa: PTH119
        below = [each for child in found for each in child.children(recursive=True)]
        return [*below, *found] if victim != "terraform" else found

    def component() -> list[psutil.Process]:
        mine = [status for status in cluster.clusters() if status.id not in others]
        pids = [c.pid for status in mine for c in status.components if c.name == victim and c.alive]
        return [psutil.Process(pid) for pid in pids]

    return terraform if victim.startswith("terraform") else component


# Worlds


@contextmanager
def _shared(place: Place, run: Callable[[Stage, int], None]) -> Iterator[Callable[[int], None]]:
    """One world for all seeds, made anew after a failure: what is broken must not break the next seed too."""
    seen: Counter[str] = Counter()
    with ExitStack() as stack:
        stages: list[Stage] = []

        def one(seed: int) -> None:
            if not stages:
                stages.append(Stage(stack.enter_context(real_world(place.folder, place.engine)), seen=seen))
            try:
                run(stages[0], seed)
            except BaseException:
                stages.clear()
                stack.close()
                raise
            finally:
                place.notes.update({name: str(count) for name, count in sorted(seen.items())})

        yield one


@contextmanager
def kills(place: Place) -> Iterator[Callable[[int], None]]:
    with _shared(place, kill_karrots) as run:
        yield run


@contextmanager
def strikes(place: Place) -> Iterator[Callable[[int], None]]:
    with _shared(place, kill_child) as run:
        yield run


ROWS: tuple[Torture, ...] = (
    Torture(
        name="real-kill",
        title="SIGKILL of karrots on real parts (git, Terraform, engine)",
        promise="nothing half done, no commit lost; the same command again ends as undisturbed, destroy leaves nothing",
        world=kills,
        wanted=300,
        usual=15,
        slice=1,
    ),
    Torture(
        name="real-strike",
        title="SIGKILL of Terraform, git or a part of the cluster during a verb",
        promise="a documented exit, the serial never goes back; the same command again ends as undisturbed",
        world=strikes,
        wanted=100,
        usual=6,
        slice=0,
    ),
)
