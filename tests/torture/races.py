"""Many at once, and one who comes too late: of all who want a cluster one has it, and nobody else writes.

What is decided by the seed: who starts in which order, who asks for which branch, where the late one is stopped and how
far the other one comes. In a crowd the system deals the time, so a seed repeats the question and not the winner.
"""

from __future__ import annotations

import json
import random
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_network
from itertools import combinations
from typing import TYPE_CHECKING, Any

from karrots.adapters.git import Repository
from karrots.fleet.ledger import REF, Ledger
from tests.support.fleets import shop
from tests.support.repositories import git
from tests.torture import late
from tests.torture.frame import Torture, Wrong

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from tests.torture.frame import Place, Run

CROWD = 100
LOCKED = 6


def need(met: object, what: str) -> None:
    if not met:
        raise Wrong(what)


@dataclass
class Racers:
    """The process that forks (tests.torture.racers)."""

    process: subprocess.Popen[str]

    def play(self, task: dict[str, Any]) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        need(answer, f"the racers ended with {self.process.poll()}")
        return json.loads(answer)


@contextmanager
def racers() -> Iterator[Racers]:
    process = late.server()
    with process:
        try:
            yield Racers(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=60)


@dataclass(frozen=True)
class People:
    """Each has a clone of one bare remote, and a name of their own."""

    racers: Racers
    place: Path
    shared: Path
    clones: tuple[Path, ...]

    @property
    def ledger(self) -> Ledger:
        """As it is at the remote."""
        known = Ledger(Repository.discover(self.place / "fleet"), "origin")
        known.refresh()
        return known

    def branch(self, wanted: list[tuple[int, str, str]]) -> dict[int, tuple[int, dict[str, Any]]]:
        """Who, git branch and cluster: exit status and document of each, by number."""
        members = [
            {
                "cwd": str(self.clones[who] / "clusters/qa"),
                "argv": ["branch", story, name, "--wait", "infra", "-o", "json"],
                "env": {f"GIT_{role}_EMAIL": email(who) for role in ("AUTHOR", "COMMITTER")},
                **{kind: str(self.place / f"{kind}-{who}") for kind in ("out", "err")},
            }
            for who, story, name in wanted
        ]
        statuses = self.racers.play({"kind": "crowd", "members": members})
        return {who: (status, self.said(who)) for (who, _, _), status in zip(wanted, statuses, strict=True)}

    def said(self, who: int) -> dict[str, Any]:
        text = (self.place / f"out-{who}").read_text("utf-8")
        try:
            return dict(json.loads(text))
        except ValueError:
            return {"message": text, "why": (self.place / f"err-{who}").read_text("utf-8")[-500:]}


def email(who: int) -> str:
    return f"person{who}@example.com"


@contextmanager
def people(place: Place, count: int) -> Iterator[People]:
    shop(place.folder, remote=True)
    shared = place.folder / "shared.git"
    clones = tuple(place.folder / f"clone-{who:03}" for who in range(count))
    for clone in clones:
        git(place.folder, "clone", "-q", str(shared), str(clone))
    with racers() as running:
        yield People(running, place.folder, shared, clones)


@contextmanager
def one_name(place: Place, *, count: int = CROWD) -> Iterator[Run]:
    with people(place, count) as crowd:
        yield partial(_one_name, crowd)


def _one_name(crowd: People, seed: int) -> None:
    dice = random.Random(seed)
    name = f"contested-{seed}"
    # All may want the same git branch as well, or each another.
    same = dice.random() < 0.5
    wanted = [(who, f"story/{seed}" + ("" if same else f"-{who}"), name) for who in range(len(crowd.clones))]
    dice.shuffle(wanted)
    ends = crowd.branch(wanted)
    winners = [who for who, (status, _) in ends.items() if status == 0]
    need(len(winners) == 1, f"{len(winners)} won: {sorted({(s, str(d.get('message'))) for s, d in ends.values()})[:5]}")
    (winner,) = winners
    story = next(branch for who, branch, _ in wanted if who == winner)
    for who, (status, said) in ends.items():
        if who != winner:
            told = f"{said.get('message')} {said.get('why')}"
            need(status == LOCKED, f"{who} ended with {status}: {told}")
            need(email(winner) in told and story in told, f"{who} was not told who won: {told}")
    record = crowd.ledger.get(name)
    need((record.owner, record.branch) == (email(winner), story), f"the ledger says {record.owner}, {record.branch}")
    made = git(crowd.shared, "for-each-ref", "--format=%(refname:short)", f"refs/heads/story/{seed}*").splitlines()
    need(made == [story], f"story branches at the remote: {made}")
    sound(crowd, crowd.clones[winner], crowd.shared)


def sound(crowd: People, *folders: Path) -> None:
    for folder in folders:
        said = git(folder, "fsck", "--strict", "--no-dangling", "--no-progress")
        need(not said, f"git fsck in {folder.name}: {said}")
    need(not git(crowd.shared, "rev-list", "--min-parents=2", REF), "the ledger has merges")


@contextmanager
def many_names(place: Place, *, count: int = CROWD) -> Iterator[Run]:
    with people(place, count) as crowd:
        yield partial(_many_names, crowd)


def _many_names(crowd: People, seed: int) -> None:
    dice = random.Random(seed)
    wanted = [(who, f"many/{seed}-{who}", f"many-{seed}-{who}") for who in range(len(crowd.clones))]
    dice.shuffle(wanted)
    before = crowd.ledger.repo.refs(REF).get(REF)
    ends = crowd.branch(wanted)
    failed = {who: (status, said) for who, (status, said) in ends.items() if status != 0}
    need(not failed, f"{len(failed)} failed, the first: {next(iter(failed.items()), '')}")
    records = {record.name: record for record in crowd.ledger.records()}
    for who, story, name in wanted:
        need(name in records, f"{name} is not in the ledger")
        need((records[name].branch, records[name].owner) == (story, email(who)), f"{name} is not {who}'s")
        need(git(crowd.shared, "for-each-ref", f"refs/heads/{story}"), f"{story} is not at the remote")
    ranges = [ip_network(record.network) for record in records.values()]
    need(not any(a.overlaps(b) for a, b in combinations(ranges, 2)), "ranges overlap")
    entries = git(crowd.shared, "rev-list", "--count", f"{before}..{REF}" if before else REF)
    need(int(entries) == len(wanted), f"{entries} entries for {len(wanted)} clusters")
    sound(crowd, *crowd.clones, crowd.shared)


@contextmanager
def late_holder(place: Place) -> Iterator[Run]:
    with people(place, 2) as two:
        yield partial(_late_holder, two)


def _late_holder(two: People, seed: int) -> None:
    dice = random.Random(seed)
    here, other = two.clones
    what = dice.choice(("ledger", "ledger", "state"))
    task: dict[str, Any] = {"kind": "late", "what": what, "end": dice.choice(late.ENDS)}
    if what == "state":
        folder = two.place / f"state-{seed}"
        task |= {"cwd": str(folder)}
    else:
        remote = dice.choice((None, "origin"))
        # Without a remote both work in one clone.
        task |= {"cwd": str(here), "other": str(other if remote else here), "remote": remote}
        task |= {"act": dice.choice(late.ACTS), "moment": dice.choice(late.MOMENTS), "name": f"late-{seed}"}
        if remote is None:
            task |= {"cwd": str(two.place / "fleet"), "other": str(two.place / "fleet")}
    found = two.racers.play(task)
    need("wait" in found["refused"] or "--take-over " in found["refused"], f"not told what to do: {found} {task}")
    need(found["took"] == "took it over", f"{found} {task}")
    lost = (
        f"exit {LOCKED}: lost the cluster 'late-{seed}' to " if what == "ledger" else "the Terraform state is closed to"
    )
    need(found["heard"].startswith(lost), f"{found} {task}")
    need(found["before"] == found["after"], f"it wrote all the same: {found} {task}")


GIT_PART = "karrots branch up to its story branch"

ROWS: tuple[Torture, ...] = (
    Torture(
        name="one-name",
        title=f"{CROWD} people branch one name over one remote at once ({GIT_PART}); a run is a round",
        promise="one wins each round, the others exit 6 and are told who",
        world=one_name,
        wanted=20,
        usual=2,
        slice=0,
    ),
    Torture(
        name="one-name-few",
        title=f"12 people, the same ({GIT_PART})",
        promise="one wins each round, the others exit 6 and are told who",
        world=partial(one_name, count=12),
        wanted=20,
        usual=1,
        slice=1,
    ),
    Torture(
        name="many-names",
        title=f"{CROWD} people branch {CROWD} names at once ({GIT_PART}); a run is a round",
        promise="all succeed, the ledger is linear, ranges are disjoint, git fsck --strict is clean",
        world=many_names,
        wanted=5,
        usual=1,
        slice=0,
    ),
    Torture(
        name="many-names-few",
        title=f"12 people, 12 names ({GIT_PART})",
        promise="all succeed, the ledger is linear, ranges are disjoint, git fsck --strict is clean",
        world=partial(many_names, count=12),
        wanted=5,
        usual=1,
        slice=1,
    ),
    Torture(
        name="late-holder",
        title="a holder is stopped past its lease, taken over, and wakes",
        promise="its publication is refused with exit 6, the record and the Terraform state stay as they are",
        world=late_holder,
        wanted=200,
        usual=60,
        slice=6,
    ),
)
