"""karrots is killed, its effects fail, its disk is full, its clock is wrong: in the fast world, effect by effect.

Which effect is meant is counted by karrots itself (karrots.faults), so every seed stands for one verb, one effect and
one way to break it, and a class goes through all of them before it begins again with other moments "during".
"""

from __future__ import annotations

import difflib
import json
import random
import re
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from karrots import clock, effects, faults
from karrots.errors import ExitCode
from tests.torture.fast import DATES, FastWorld, fast_world
from tests.torture.frame import Torture, Wrong

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tests.torture.frame import Place, Run
    from tests.torture.zygote import Ended

DOCUMENTED = frozenset(int(code) for code in ExitCode)
# A story branch, and a cluster of its directory's own branch.
COPY, OWN = "copy", "qa"
BRANCH = "feature/story"


@dataclass(frozen=True)
class Verb:
    """A command, what goes before it, and the cluster that it is about."""

    name: str
    words: tuple[str, ...]
    cluster: str = OWN
    before: tuple[tuple[str, ...], ...] = ()
    commits: bool = False
    ends: frozenset[int] = frozenset({0})


CREATE = ("create", "--yes")
OPERATIONS = (
    Verb("create", CREATE),
    Verb("branch", ("branch", BRANCH, COPY, "--yes"), COPY),
    Verb("apply", ("apply", OWN), OWN, (CREATE,), commits=True),
    Verb("destroy", ("destroy", OWN, "--yes"), OWN, (CREATE,)),
)
READERS = (
    Verb("sync", ("sync", OWN), OWN, (CREATE,), commits=True),
    Verb("doctor", ("doctor",), OWN, (CREATE,), ends=frozenset({0, int(ExitCode.PREFLIGHT_FAILED)})),
    *(
        Verb(words[0], words, OWN, (CREATE,))
        for words in (
            ("ls",), ("status",), ("show", OWN), ("tree",), ("diff", OWN, "HEAD"), ("lint",), ("identity", OWN),
            ("env", OWN), ("kubeconfig", OWN),
        )
    ),
)  # fmt: skip
SETTLE_SECONDS = 15.0
# The share of kills after which the same command is run again before all is destroyed.
AGAIN = 0.7


class Tormented:
    """One verb in the fast world: as it is undisturbed, and what is left to be said after it was disturbed."""

    def __init__(self, world: FastWorld, verb: Verb) -> None:
        self.world, self.verb = world, verb
        self.sites = self._count()
        self.picture = self._picture()
        self.check_destroys()
        self._heads: dict[str, str] = {}

    def _count(self) -> list[str]:
        log = self.world.folder / "effects"
        self.prepare()
        expect(self.world.karrots(*self.verb.words), self.verb.ends)  # what is done once in a home is done now
        log.unlink(missing_ok=True)
        self.prepare()
        expect(self.faulty(f"log={log}"), self.verb.ends)
        counted = log.read_text().splitlines() if log.exists() else []
        return [line.partition(" ")[2] for line in counted]

    def prepare(self) -> None:
        self.world.restore()
        for words in self.verb.before:
            expect(self.world.karrots(*words), {0})
        if self.verb.commits:
            commit(self.world)
        self._heads = self.world.branches()

    def faulty(self, plan: str) -> Ended:
        return self.world.karrots(*self.verb.words, **planned(plan))

    def settle(self) -> None:
        """Wait until the Terraform of a karrots that was killed has ended, and whatever git it had started."""
        end = time.monotonic() + SETTLE_SECONDS
        while working := self.world.at_work():
            if time.monotonic() > end:
                raise Wrong(f"still at work after {SETTLE_SECONDS:.0f} s: {working}")
            psutil.wait_procs(working, timeout=0.05)

    def _picture(self) -> str:
        if self.verb.name == "destroy":
            return ""
        return json.dumps(self.world.tree(self.verb.cluster), sort_keys=True, indent=1)

    def check_consistent(self) -> None:
        """Right after the fault: the ledger is read and sound, and no branch has lost a commit."""
        expect(self.world.karrots("ls", "-o", "json"), {0})
        complaints = self.world.fsck()
        if complaints:
            raise Wrong(f"git fsck: {complaints}")
        heads = self.world.branches()
        for branch, head in self._heads.items():
            if branch not in heads or not holds(self.world, heads[branch], head):
                raise Wrong(f"the branch '{branch}' lost {head}")

    def check_goes_on(self) -> None:
        """The same command again ends as if nothing had happened."""
        done = self.world.karrots(*self.verb.words)
        if self.verb.name == "destroy" and done.status == ExitCode.NOT_FOUND and not self.world.records():
            return  # it was through when it was disturbed
        expect(done, self.verb.ends)
        if self._picture() != self.picture:
            raise Wrong(f"not as undisturbed:\n{difference(self.picture, self._picture())}")

    def check_destroys(self) -> None:
        """Whatever there is can be taken away from here, and nothing stays."""
        for name in self.world.records():
            expect(self.world.karrots("destroy", name, "--yes"), {0})
        left = self.world.left()
        if left:
            raise Wrong("left behind: " + "; ".join(left))


class Cases:
    """Every verb with every effect of it and every way to break it; a seed names one of them.

    Verbs take turns, and each is tried undisturbed when its first turn comes.
    """

    def __init__(self, world: FastWorld, verbs: Sequence[Verb], ways: Sequence[tuple[str, str]], place: Place) -> None:
        self._world, self._verbs, self._ways, self._place = world, verbs, ways, place
        self._known: dict[Verb, Tormented] = {}

    def of(self, seed: int) -> tuple[Tormented, int, str, str]:
        """Verb, effect, kind and moment."""
        turn, which = divmod(seed, len(self._verbs))
        verb = self._verbs[which]
        if verb not in self._known:
            self._known[verb] = Tormented(self._world, verb)
            self._place.notes[f"effects of {verb.name}"] = str(len(self._known[verb].sites))
        tormented = self._known[verb]
        cases = [(n, *way) for n in range(1, len(tormented.sites) + 1) for way in self._ways]
        return tormented, *cases[(turn * STRIDE) % len(cases)]


# A prime, so that the first runs are spread over an operation.
STRIDE = 7919
KILLS = tuple(("kill", when) for when in faults.MOMENTS)
FAILURES = (
    ("error", "before"),
    ("error", "after"),
    ("timeout", "before"),
    ("full", "before"),
    ("garbage", "after"),
    ("died", "after"),
)


def planned(plan: str) -> dict[str, Any]:
    return {effects.FAULTS: plan, faults.SWITCH: faults.CONSENT}


def commit(world: FastWorld) -> None:
    """Another node and another object; the commit is the same one each time."""
    file = world.qa / "cluster.yaml"
    file.write_text(re.sub(r"count: \d+", "count: 3", file.read_text()))
    with (world.qa / "flux" / "kustomization.yaml").open("a") as content:
        content.write("# changed\n")
    expect(world.karrots("render"), {0})
    subprocess.run(["git", "commit", "-qam", "Change the content"], cwd=world.fleet, env=world.env | DATES, check=True)


def holds(world: FastWorld, head: str, old: str) -> bool:
    words = ["git", "merge-base", "--is-ancestor", old, head]
    return head == old or subprocess.run(words, cwd=world.fleet, env=world.env, check=False).returncode == 0


def difference(wanted: str, found: str) -> str:
    return "\n".join(
        difflib.unified_diff(wanted.splitlines(), found.splitlines(), "undisturbed", "found", lineterm="", n=1)
    )


def expect(done: Ended, statuses: Collection[int]) -> None:
    if done.status not in statuses:
        raise Wrong(f"ended with {done.status} (signal {done.signal}):\n{done.out}{done.err}")


def check_documented(done: Ended) -> None:
    if done.status not in DOCUMENTED - {int(ExitCode.BUG)}:
        raise Wrong(f"ended with {done.status} (signal {done.signal}):\n{done.out}{done.err}")
    if "Traceback" in done.err:
        raise Wrong(f"a traceback:\n{done.err}")


@contextmanager
def kills(place: Place) -> Iterator[Run]:
    """SIGKILL before, inside and after each effect."""
    with fast_world(place.folder / "fleet") as world:
        cases = Cases(world, OPERATIONS, KILLS, place)

        def run(seed: int) -> None:
            verb, at, kind, when = cases.of(seed)
            verb.prepare()
            verb.faulty(f"at={at} when={when} kind={kind} seed={seed}")
            with telling(f"{verb.verb.name}, killed {when} effect {at}: {verb.sites[at - 1]}"):
                verb.settle()
                verb.check_consistent()
                if verb.verb.name == "destroy" or random.Random(seed).random() < AGAIN:
                    verb.check_goes_on()
                verb.check_destroys()

        yield run


@contextmanager
def failures(place: Place) -> Iterator[Run]:
    """The n-th effect fails, in each way an effect can."""
    with fast_world(place.folder / "fleet") as world:
        cases = Cases(world, (*OPERATIONS, *READERS), FAILURES, place)

        def run(seed: int) -> None:
            verb, at, kind, when = cases.of(seed)
            verb.prepare()
            done = verb.faulty(f"at={at} when={when} kind={kind} seed={seed}")
            what = f"{verb.verb.name}, {kind} {when} effect {at}: {verb.sites[at - 1]}\nended with {done.status}:"
            with telling(f"{what}\n{done.err}"):
                check_documented(done)
                verb.settle()
                verb.check_consistent()
                verb.check_goes_on()
                verb.check_destroys()

        yield run


@contextmanager
def telling(what: str) -> Iterator[None]:
    """Which effect it was, with whatever goes wrong."""
    try:
        yield
    except Wrong as wrong:
        raise Wrong(f"{what}\n{wrong}") from wrong


@contextmanager
def full_disk(place: Place) -> Iterator[Run]:
    """No room at each place that writes a file."""
    with fast_world(place.folder / "fleet") as world:
        verbs = [Tormented(world, verb) for verb in OPERATIONS]
        cases = [(v, n) for v in verbs for n, site in enumerate(v.sites, 1) if writes(site)]
        place.notes["write sites"] = str(len(cases))

        def run(seed: int) -> None:
            verb, at = cases[(seed * STRIDE) % len(cases)]
            path = verb.sites[at - 1].partition(" ")[2]
            verb.prepare()
            done = verb.faulty(f"at={at} kind=full")
            with telling(f"{verb.verb.name}, no room for effect {at}: {verb.sites[at - 1]}"):
                check_documented(done)
                check_told(done, path)
                verb.settle()
                verb.check_consistent()
                verb.check_goes_on()
                verb.check_destroys()

        yield run


def writes(site: str) -> bool:
    return site.startswith(("write ", "append ", "create ", "mkdir "))


def check_told(done: Ended, path: str) -> None:
    """A command that went on without the file owes nobody a word; one that failed says which file."""
    said = done.err + done.out
    if done.status != 0 and re.search(shape(path), said) is None:
        raise Wrong(f"the message does not name {path}:\n{said}")


def shape(path: str) -> str:
    """The last part of it; ids, process numbers and digests in it differ from run to run."""
    return re.sub(r"[0-9a-f]{32}|[0-9a-z]{26}|[0-9]+", "[0-9a-z]+", re.escape(path.rsplit("/", 1)[-1]))


@contextmanager
def clocks(place: Place) -> Iterator[Run]:
    """A clock that is up to 25 hours wrong, or set while an operation runs."""
    with fast_world(place.folder / "fleet") as world:

        def run(seed: int) -> None:
            dice = random.Random(seed)
            world.restore()
            skews = [skew(dice) for _ in range(3)]
            words = ("branch", BRANCH, COPY, "--yes", "--ttl", "3d", "--wait", "infra")
            commands = (words, ("apply", COPY, "--wait", "infra"), ("ls", "-o", "json"))
            for text, command in zip(skews, commands, strict=True):
                expect(world.karrots(*command, **planned(f"skew={text}")), {0})
            check_life(world)
            check_runs_rise(world)
            expect(world.karrots("destroy", COPY, "--yes"), {0})

        yield run


def skew(dice: random.Random) -> str:
    def hours() -> str:
        return f"{dice.uniform(-25, 25) * 3600:.0f}"

    return hours() if dice.random() < 0.5 else f"{hours()},{hours()}@{dice.randint(1, 12)}"


def check_life(world: FastWorld) -> None:
    record = world.records()[COPY]
    lasts = clock.moment(record.expires or "") - clock.moment(record.created)
    if lasts.total_seconds() != 3 * 86400:
        raise Wrong(f"a life of 3 days became {lasts}: {record}")


def check_runs_rise(world: FastWorld) -> None:
    """Folders of runs are named by id, and each command began after the one before it."""
    runs = sorted(path.name for path in (world.state / "runs").iterdir())
    begun = [json.loads((world.state / "runs" / run / "journal.jsonl").read_text().splitlines()[0]) for run in runs]
    if [line["verb"] for line in begun] != ["branch", "apply"]:
        raise Wrong(
            f"the ids of runs do not rise: {[(run, line['verb']) for run, line in zip(runs, begun, strict=True)]}"
        )


ROWS: tuple[Torture, ...] = (
    Torture(
        "kill", "SIGKILL of karrots before, inside and after each effect (fast world)",
        "nothing lost, nothing left; the same command again ends as undisturbed", kills,
        wanted=3000, usual=240, slice=12, workers=2,
    ),
    Torture(
        "nth-failure", "the n-th effect fails: error, timeout, no room, garbage (fast world)",
        "a documented exit status, no traceback, resumable", failures,
        wanted=3000, usual=240, slice=12, workers=2,
    ),
    Torture(
        "full-disk", "no room at each place that writes (fast world)",
        "the state before stays, the message names the path", full_disk,
        wanted=150, usual=40, slice=6, workers=2,
    ),
    Torture(
        "clock", "a clock ± 25 h wrong, or set in the middle (fast world)",
        "a life as long as asked for, ids that rise", clocks,
        wanted=1000, usual=40, slice=4, workers=2,
    ),
)  # fmt: skip
