"""A state that a cloud keeps: Terraform's s3, gcs or azurerm backend, reached through Terraform alone.

The truth is in the cloud and asked for anew each time. In a folder of this computer are notes, none of which is a copy:

    seen.json        lineage and highest serial seen here: a state that goes back, or another one, is refused
    cloud-lock.json  the lock our Terraform holds, and its process: the lock of a dead one is taken over
    workers/         each Terraform that runs for us: it may outlive us and keep its last state
    fenced.json      operations that lost the cluster: they start no Terraform
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots import computer, files
from karrots.adapters import process, terraform_argv, terraform_lock, terraform_refusal
from karrots.adapters import terraform_document as document
from karrots.adapters.terraform_document import StateRefused
from karrots.adapters.terraform_lock import StateHeld
from karrots.errors import Failed, KarrotsError, Locked, LoginNeeded
from karrots.places import private_folder
from karrots.spec import json_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from karrots.adapters.terraform_keeper import Ask
    from karrots.adapters.terraform_lock import LockInfo
    from karrots.adapters.terraform_store import StateStore
    from karrots.errors import Diagnostic


SEEN = "seen.json"
DOCTOR = "karrots doctor"
# How the three backends begin to say that they cannot be used.
UNREACHABLE = re.compile(
    r"\A(Failed to get existing workspaces|Invalid region value|Error (configuring|loading|inspecting|refreshing)"
    r"|Failed to (load|save|persist) state|Error (saving|uploading) state)",
    re.IGNORECASE,
)


@dataclass
class CloudState:
    """One cluster's state in the cloud, for one operation.

    `settings` are the backend's, for init; `place` is said to people, `command` is what they typed, and `unlocking`
    what ends a lock that Terraform cannot read. `take_over` is the id of a lock that they said is nobody's. `say` hears
    what is done about locks and states left behind.
    """

    backend: str
    settings: Mapping[str, str]
    place: str
    notes: StateStore
    command: str
    unlocking: str = ""
    take_over: str = ""
    say: Callable[[str], None] = lambda _: None
    patience: str = "0s"  # who is waited for is said before any waiting
    _running: tuple[int, str] = (0, "")
    _noted: str = ""

    def environment(self) -> dict[str, str]:
        """Logins are the root's."""
        return {}

    # Around a run of Terraform

    def ready(self, ask: Ask) -> None:
        """The backend can be reached: what the Terraforms of the dead could not send any more is sent first."""
        for worker, left in list(self.notes.orphans()):
            if left.exists():
                self._rescue(left, ask)
            self.notes.end_work(worker.pid)

    def begin(self, pid: int, folder: Path) -> None:
        """Raises StateFenced, and StateLocked beside a Terraform of an operation that lost the cluster."""
        self._noted = ""
        self.notes.refuse_beside_a_terraform()
        self.notes.begin_work(pid, folder)
        self._running = (pid, computer.born(pid))

    def heard(self, line: str, ask: Ask) -> None:
        """Note our lock as soon as a line shows that we hold it."""
        then = None if self._noted else terraform_lock.held_since(line)
        if then is None:
            return
        self._noted = "?"  # looked up once
        with suppress(KarrotsError):
            lock = self.lock(ask)
            if lock is not None and terraform_lock.is_by_then(lock, then):
                self._noted = lock.id
                terraform_lock.write_note(self._note, lock.id, *self._running)

    def let_go(self, ask: Ask, *, well: bool) -> None:
        """Terraform is gone. Where it did not end `well`, a lock of its own is given back."""
        if self._noted in {"", "?"}:
            return
        if well:
            files.remove(self._note)
            return
        with suppress(KarrotsError):  # most often it gave the lock back itself; else the note is a proof later on
            ask(lambda program: terraform_argv.force_unlock(program, self._noted))

    def end(self, pid: int) -> None:
        self.notes.end_work(pid)

    def refused(self, diagnostics: Sequence[Diagnostic]) -> KarrotsError | None:
        """What of the backend stopped Terraform: StateHeld, LoginNeeded, or Failed; None when it was something else."""
        error = terraform_lock.refusal(diagnostics)
        if error is not None:
            return StateHeld(self.place, terraform_lock.told(error), self.command, self.unlocking)
        # What has an address is a resource's or a provider's.
        said = next((terraform_refusal.words(each) for each in diagnostics if not each.address), "")
        if terraform_refusal.login_hint(said):
            return LoginNeeded(f"the Terraform state {self.place} wants a log-in", why=said, hint=DOCTOR)
        if UNREACHABLE.search(said):
            return Failed(f"the Terraform state {self.place} cannot be reached", why=said, hint=DOCTOR)
        return None

    def free(self, held: StateHeld, ask: Ask) -> bool:
        """Take a lock over whose holder is dead, or that somebody said to take over; else say who is waited for."""
        lock = held.lock
        why = self._proof(lock) if lock else ""
        if lock is None or not why:
            self.say(f"{held.message}: {held.why}; waiting for it")
            return False
        self.say(f"taking over the lock {lock.id} of the Terraform state {self.place} from {lock.who}: {why}")
        done = ask(lambda program: terraform_argv.force_unlock(program, lock.id))
        if done.status != 0:
            raise Locked(
                f"the lock {lock.id} of the Terraform state {self.place} could not be ended",
                why=process.failed(done).why,
                hint=f"when you know that nobody works on it: {self.unlocking}",
            )
        return True

    # The state

    def document(self, ask: Ask) -> dict[str, Any] | None:
        """The state as it is now; None when there is none. Raises StateRefused when it has gone back."""
        done = ask(terraform_argv.state_pull)
        if done.status != 0:
            raise terraform_refusal.failed(done)
        state = document.read(done.stdout)
        found = state if state["lineage"] else None
        self._compare(found)
        return found

    def adopt(self, file: Path, ask: Ask) -> None:
        """Send a state that Terraform could not send itself. Raises ToolFailed when it is not a later one."""
        self.say(f"sending the Terraform state left in {file} to {self.place}")
        self._end_lock_of_the_dead(ask)
        done = ask(lambda program: terraform_argv.state_push(program, file))
        if done.status != 0:
            raise terraform_refusal.failed(done)

    def _end_lock_of_the_dead(self, ask: Ask) -> None:
        """Who could not send its state could not give its lock back either, most often, and `state push` would wait."""
        lock = self.lock(ask)
        if lock is not None and self._proof(lock):
            self.free(StateHeld(self.place, lock, self.command, self.unlocking), ask)

    def lock(self, ask: Ask) -> LockInfo | None:
        """Who holds the lock now; None when nobody does."""
        done = ask(lambda program: terraform_argv.force_unlock(program, terraform_lock.NOBODY))
        return terraform_lock.told((done.stderr + done.stdout).decode("utf-8", "replace"))

    # Inside

    @property
    def _note(self) -> Path:
        return self.notes.folder / "cloud-lock.json"

    @property
    def _seen(self) -> Path:
        return self.notes.folder / SEEN

    def _proof(self, lock: LockInfo) -> str:
        """Why a lock may be taken over, '' when it may not."""
        if lock.id == self.take_over:
            return "as --take-over says"
        note = terraform_lock.read_note(self._note)
        if note is not None and note.id == lock.id and note.is_of_the_dead:
            return f"its Terraform on this computer, process {note.pid}, is gone"
        return ""

    def _rescue(self, left: Path, ask: Ask) -> None:
        try:
            self.adopt(left, ask)
            files.remove(left)
        except (KarrotsError, OSError) as error:
            raise Failed(
                f"the Terraform state left in {left} cannot be sent to {self.place}",
                why=f"{error}: {getattr(error, 'why', '')}",
                hint=f"look into {left}, move it away, then run the same command again",
            ) from error

    def _compare(self, state: Mapping[str, Any] | None) -> None:
        lineage, serial = self._last_seen()
        now = (state["lineage"], state["serial"]) if state else ("", 0)
        if lineage and (now[0] != lineage or now[1] < serial):
            raise StateRefused(
                f"the Terraform state {self.place} is not the one that was seen last, or an older version of it",
                why=f"it has lineage '{now[0]}' and serial {now[1]}, seen were '{lineage}' and {serial}",
                hint=f"put the later version back; or, to go on with this one: rm {self._seen}",
            )
        if state and now != (lineage, serial):
            private_folder(self.notes.folder)
            files.write(self._seen, json.dumps({"lineage": now[0], "serial": now[1]}))

    def _last_seen(self) -> tuple[str, int]:
        try:
            seen = json_file.load(self._seen.read_bytes())
            return str(seen["lineage"]), int(seen["serial"])
        except FileNotFoundError:
            return "", 0
        except (ValueError, LookupError, TypeError) as error:
            raise Failed(f"{self._seen} cannot be read", why=str(error), hint=f"rm {self._seen}") from error


def forget_seen(folder: Path) -> None:
    """The state is about to be removed for good."""
    files.remove(folder / SEEN)
