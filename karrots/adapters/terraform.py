"""The one door to Terraform (and OpenTofu): typed events in, typed values and errors out, never its prose.

A Root is a folder of its own for each run: the rendered root, Terraform's data, the saved plan and the log are in it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import signal
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from karrots import files, places
from karrots.adapters import process, terraform_argv, terraform_refusal
from karrots.adapters import terraform_document as document
from karrots.adapters.terraform_cloud import CloudState
from karrots.adapters.terraform_events import (
    DiagnosticSeen,
    Drifted,
    Event,
    Planned,
    ProvisionerSaid,
    Said,
    StateSaved,
    Summary,
    decode,
    diagnostic,
)
from karrots.adapters.terraform_lock import StateHeld
from karrots.adapters.terraform_run import follow
from karrots.adapters.terraform_store import UNSAVED, StateLocked
from karrots.adapters.terraform_tool import Tool, locate
from karrots.adapters.terraform_values import COVER, SUPPRESSED, Output, masked, outline, outputs, provisioned
from karrots.errors import Diagnostic, ExitCode, Failed, KarrotsError, LoginNeeded, Refused, ToolFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from karrots.adapters.process import Completed
    from karrots.adapters.terraform_keeper import Keeper

__all__ = ["Output", "Plan", "Root", "StateHeld", "StateLocked", "StateUnsaved", "Tool", "environment", "locate"]

LOG = "terraform.log"
PLAN_FILE = "karrots.tfplan"
# Clouds take their time; Terraform ends sooner when it can.
GRACE_SECONDS = 600.0
READ_SECONDS = 300.0

# What a user may have set for Terraform itself. Everything else of TF_* stays out: TF_CLI_ARGS and TF_WORKSPACE would
# change what our own arguments mean, and TF_VAR_* would get past the files that hold every value.
INHERITED = (
    "TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR", "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE", "TF_LOG",
    "TF_REGISTRY_CLIENT_TIMEOUT", "SSH_AUTH_SOCK",
)  # fmt: skip
TOKENS = "TF_TOKEN_"
FORBIDDEN = re.compile(r"TF_CLI_ARGS|TF_WORKSPACE$|TF_DATA_DIR$|TF_INPUT$")
CONFIGURED_CACHE = re.compile(r'^\s*plugin_cache_dir\s*=\s*"([^"]+)"', re.MULTILINE)
DESTRUCTIVE = frozenset({"delete", "replace"})


_Kind = TypeVar("_Kind")
_Change = TypeVar("_Change", Planned, Drifted)


class StateUnsaved(Failed):
    """Terraform changed the world and could not save its state; the file it left is the only record."""


class StateAwaitsLogin(StateUnsaved, LoginNeeded):
    """The same, for want of a log-in: the next run sends it."""

    code = ExitCode.LOGIN_NEEDED


@dataclass(frozen=True)
class Plan:
    """A saved plan. `digest` holds apply to the very file that was shown; `changes` leaves out what stays as it is."""

    file: Path
    digest: str
    changes: tuple[Planned, ...]
    drift: tuple[Drifted, ...]
    counts: Summary
    has_changes: bool

    @property
    def destructive(self) -> tuple[Planned, ...]:
        """Changes that end something that exists."""
        return tuple(change for change in self.changes if change.action in DESTRUCTIVE)


class Root:
    """One run's folder. `environment` is added to what Terraform may see, credentials of a provider for example.

    With `state`, somebody keeps the state for us, and one that Terraform could not send is brought home.
    """

    def __init__(
        self,
        folder: Path,
        tool: Tool,
        environment: Mapping[str, str] | None = None,
        on_event: Callable[[Event], None] = lambda _: None,
        *,
        state: Keeper | None = None,
        grace: float = GRACE_SECONDS,
    ) -> None:
        self.folder = folder
        self.tool = tool
        self.log = folder / LOG
        self._extra = dict(environment or {}) | (state.environment() if state else {})
        self._on_event = on_event
        self._state = state
        self._grace = grace
        self._pid = 0

    def init(self, *, backend: bool = True) -> None:
        """The keeper's settings show in the process list: no secrets in them.

        Without `backend` no state is looked at.
        """
        build = partial(
            terraform_argv.init,
            self.tool.path,
            json=self.tool.speaks_json_at_init,
            backend_config=self._state.settings if self._state else None,
            keep_lock_file=(self.folder / ".terraform.lock.hcl").exists(),
            backend=backend,
        )
        with _one_init_at_a_time(Path(self._environment()["TF_PLUGIN_CACHE_DIR"])):
            self._locking("init", partial(build, lock_timeout="0s"))  # others want to init meanwhile
        if self._state:
            self._state.ready(self._ask)

    def validate(self) -> None:
        argv = terraform_argv.validate(self.tool.path)
        answer = self._read(argv, accepted=(0, 1))
        found = [item for item in answer.get("diagnostics", []) if item.get("severity") == "error"]
        if found:
            raise self._failure("validate", argv, 1, [diagnostic(item) for item in found], "")

    def plan(
        self,
        *,
        destroy: bool = False,
        out: Path | None = None,
        refresh: bool = True,
        replace: Sequence[str] = (),
        targets: Sequence[str] = (),
    ) -> Plan:
        """Compare the world with the root and save what would be done; a state left unsaved comes home first."""
        self.save_state()
        file = out or self.folder / PLAN_FILE
        files.remove(file)
        build = partial(
            terraform_argv.plan,
            self.tool.path, file, destroy=destroy, refresh=refresh, replace=replace, targets=targets,
        )  # fmt: skip
        heard = self._locking("plan", build, accepted=(0, 2))
        file.chmod(0o600)
        return Plan(
            file,
            _digest(file),
            _by_address(change for change in heard.of(Planned) if change.action != "noop"),
            _by_address(heard.of(Drifted)),
            (heard.of(Summary) or [Summary("plan")])[-1],
            heard.status == 2,
        )

    def apply(self, plan: Plan) -> Summary:
        """Carry out a saved plan, once: the file is deleted, as applying an old plan again is refused by Terraform.

        Raises Refused when the file is not the one that was planned.
        """
        if not plan.file.exists() or _digest(plan.file) != plan.digest:
            raise Refused(
                "the saved Terraform plan is not the one that was shown",
                why=f"{plan.file} has changed or is gone",
                hint="run the same command again to plan anew",
            )
        try:
            heard = self._locking("apply", partial(terraform_argv.apply, self.tool.path, plan.file))
        finally:
            files.remove(plan.file)
        return (heard.of(Summary) or [Summary("apply")])[-1]

    def untaint(self, address: str) -> None:
        """What a stopped run left marked to be made anew is taken as it is."""
        self._locking("untaint", partial(terraform_argv.untaint, self.tool.path, address))

    def outputs(self) -> dict[str, Output]:
        """As they are in the state now."""
        if self._state:
            return outputs(document.clear(self.state()).get("outputs") or {})
        return outputs(self._read(terraform_argv.output(self.tool.path)))

    def resources(self) -> int:
        """How many objects the state holds now."""
        return document.resources(self.state())

    def state(self) -> Mapping[str, Any] | None:
        """The state as it is now, secrets and all; None when there is none yet."""
        if self._state:
            return self._state.document(self._ask)
        return self._read(terraform_argv.state_pull(self.tool.path))

    def show(self, plan: Plan | None = None) -> dict[str, Any]:
        """The plan, or the present state, as Terraform describes it in JSON, with sensitive values covered."""
        return masked(self._read(terraform_argv.show(self.tool.path, plan.file if plan else None)))

    def outline(self, plan: Plan, region: str) -> dict[str, Any]:
        """As `show`, and what refers to what, for a program that puts prices on it."""
        document = self._read(terraform_argv.show(self.tool.path, plan.file))
        return {**masked(document), "configuration": outline(document.get("configuration") or {}, region)}

    def provisioners(self, plan: Plan) -> tuple[str, ...]:
        """Addresses of resources in whose configuration a plan found commands to run."""
        document = self._read(terraform_argv.show(self.tool.path, plan.file))
        return tuple(sorted(provisioned(document.get("configuration", {}).get("root_module", {}))))

    def save_state(self) -> bool:
        """Save the state that a run in this folder could not; False when there is none. Raises StateUnsaved."""
        file = self.folder / UNSAVED
        if not file.exists():
            return False
        try:
            if self._state:
                self._state.adopt(file, self._ask)
            else:
                process.run(self._push(file), cwd=self.folder, env=self._environment(), timeout=READ_SECONDS)
        except LoginNeeded as error:
            raise StateAwaitsLogin(
                "the log-in ended, and the Terraform state could not be saved",
                why=f"{file} holds it, and is sent by the next run: {error.why}",
                hint=error.hint,
                log=self.log,
            ) from error
        except (KarrotsError, OSError) as error:
            raise StateUnsaved(
                "the Terraform state could not be saved",
                why=f"{file} holds it: {error}",
                hint=f"keep {file}, free what stood in the way, then run the same command again",
                log=self.log,
            ) from error
        files.remove(file)
        self._on_event(StateSaved(file))
        return True

    def _push(self, file: Path) -> list[str]:
        return terraform_argv.state_push(self.tool.path, file)

    def _ask(self, build: Callable[[Path], Sequence[str]]) -> Completed:
        argv, env = build(self.tool.path), self._environment()
        return process.run(argv, cwd=self.folder, env=env, timeout=READ_SECONDS, check=False, whole=True)

    def _environment(self) -> dict[str, str]:
        return environment(self._extra)

    def _locking(self, verb: str, build: Callable[..., list[str]], accepted: Sequence[int] = (0,)) -> _Heard:
        """A run that takes the state's lock. Raises Locked when it is not to be had."""
        try:
            first = {"lock_timeout": self._state.patience} if self._state and self._state.patience else {}
            return self._stream(verb, build(**first), accepted)
        except StateHeld as held:
            assert isinstance(self._state, CloudState)  # noqa: S101  (nobody else raises it)
            self._state.free(held, self._ask)
        return self._stream(verb, build(), accepted)

    def _stream(self, verb: str, argv: list[str], accepted: Sequence[int] = (0,)) -> _Heard:
        """One run of Terraform with its events handed on. Raises ToolFailed, with the diagnostics."""
        heard = _Heard(self._on_event, self._on_line)
        try:
            heard.status = follow(
                argv,
                cwd=self.folder,
                env=self._environment(),
                log=self.log,
                on_start=self._begin,
                on_line=heard,
                on_stop=self._on_event,
                grace=self._grace,
            )
        finally:
            self._end(well=heard.status in accepted)
            cover_log(self.log, heard.secretive)
        if heard.status not in accepted:
            errors = [seen.diagnostic for seen in heard.of(DiagnosticSeen) if seen.severity == "error"]
            blocked = self._state.refused(errors) if self._state else None
            raise blocked or self._failure(verb, argv, heard.status, errors, heard.tail())
        return heard

    def _on_line(self, line: str) -> None:
        if self._state:
            self._state.heard(line, self._ask)

    def _begin(self, pid: int) -> None:
        self._pid = pid
        if self._state:
            self._state.begin(pid, self.folder)

    def _end(self, *, well: bool) -> None:
        """Terraform is gone, however it ended: no lock of its own may stay, and no state outside of the backend."""
        if self._state:
            self._state.let_go(self._ask, well=well)
        self.save_state()
        if self._state:
            self._state.end(self._pid)

    def _read(self, argv: list[str], accepted: Sequence[int] = (0,)) -> dict[str, Any]:
        """A verb that answers with one JSON document."""
        done = process.run(argv, cwd=self.folder, env=self._environment(), timeout=READ_SECONDS, check=False)
        if done.status not in accepted:
            raise terraform_refusal.failed(done)
        # Warnings about a backend have been seen on stdout before the document.
        start = re.search(r"^\{", done.text, re.MULTILINE)
        try:
            return dict(json.loads(done.text[start.start() :])) if start else {}
        except ValueError as error:
            raise process.failed(done) from error

    def _failure(
        self, verb: str, argv: Sequence[str], status: int, errors: Sequence[Diagnostic], tail: str
    ) -> ToolFailed:
        message = f"{self.tool.kind} {verb} failed"
        if status < 0:
            message = f"{self.tool.kind} {verb} was ended by {signal.Signals(-status).name}"
        errors = terraform_refusal.cause_first(errors)
        if errors:
            message += _place(errors[0])
        said = terraform_refusal.words(errors[0]) if errors else tail
        return terraform_refusal.kind(said)(
            message,
            argv=argv,
            status=status,
            tail=tail,
            diagnostics=errors,
            why=_reason(errors),
            hint=terraform_refusal.hint(said),
            log=self.log,
        )


@dataclass
class _Heard:
    """What one run said."""

    listener: Callable[[Event], None]
    on_line: Callable[[str], None] = lambda _: None
    status: int = -1
    events: list[Event] = field(default_factory=list)
    secretive: set[str] = field(default_factory=set)

    def __call__(self, line: str) -> None:
        self.on_line(line)
        event = self._covered(decode(line))
        if event is None:
            return
        self.events.append(event)
        self.listener(event)

    def _covered(self, event: Event | None) -> Event | None:
        """`secretive` are the resources whose provisioners hold secrets, and are known by that before they fail."""
        match event:
            case ProvisionerSaid(address=address, text=text) if text == SUPPRESSED:
                self.secretive.add(address)
            case DiagnosticSeen(diagnostic=told) if told.address in self.secretive:
                return replace(event, diagnostic=replace(told, detail=COVER))
        return event

    def of(self, kind: type[_Kind]) -> list[_Kind]:
        return [event for event in self.events if isinstance(event, kind)]

    def tail(self) -> str:
        return "\n".join(said.text for said in self.of(Said))[-process.TAIL_BYTES :]


def cover_log(log: Path, secretive: Collection[str]) -> None:
    """Take out of Terraform's own lines what its errors tell of the provisioners of these resources."""
    if secretive:
        lines = log.read_bytes().splitlines(keepends=True)
        files.write(log, b"".join(_covered_line(line, secretive) for line in lines))


def _covered_line(line: bytes, secretive: Collection[str]) -> bytes:
    with suppress(ValueError, LookupError, TypeError, AttributeError, RecursionError):
        message = json.loads(line)
        if message["diagnostic"].get("address") in secretive:
            message["diagnostic"]["detail"] = COVER
            return json.dumps(message).encode() + b"\n"
    return line


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """All that Terraform sees: what it may inherit, `extra` without what would bend our arguments, fixed settings."""
    tokens = [name for name in os.environ if name.startswith(TOKENS)]
    kept = process.environment(inherit=(*INHERITED, *tokens))
    if not Path(kept.get("TF_CLI_CONFIG_FILE", os.devnull)).exists():
        # A file that is not there costs a warning at every call.
        del kept["TF_CLI_CONFIG_FILE"]
    allowed = {name: value for name, value in (extra or {}).items() if not FORBIDDEN.match(name)}
    fixed = {
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
        "NO_COLOR": "1",
        "KARROTS_PYTHON": sys.executable,
        "TF_PLUGIN_CACHE_DIR": str(_plugin_cache(kept | allowed)),
    }
    return kept | allowed | fixed


def _plugin_cache(env: Mapping[str, str]) -> Path:
    """Where providers are kept between runs, each of which has a folder of its own: the user's place, or ours."""
    if "TF_PLUGIN_CACHE_DIR" in env:
        return Path(env["TF_PLUGIN_CACHE_DIR"])
    settings = Path(env.get("TF_CLI_CONFIG_FILE", Path.home() / ".terraformrc"))
    if settings.is_file():
        configured = CONFIGURED_CACHE.search(settings.read_text(encoding="utf-8", errors="replace"))
        if configured:
            return Path(os.path.expandvars(configured[1]))
    return places.cache() / "terraform-providers"


@contextmanager
def _one_init_at_a_time(folder: Path) -> Iterator[None]:
    """Terraform's plugin cache breaks when two fill it: https://github.com/hashicorp/terraform/issues/31964."""
    places.private_folder(folder)
    with (folder / ".karrots-init.lock").open("a") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _by_address(changes: Iterable[_Change]) -> tuple[_Change, ...]:
    """Terraform walks its graph in parallel, and two plans of one thing should look the same."""
    return tuple(sorted(changes, key=lambda change: change.address))


def _place(error: Diagnostic) -> str:
    source = f"{error.file}:{error.line}" if error.file else ""
    if error.address and source:
        return f" at {error.address} ({source})"
    return f" at {error.address or source}" if error.address or source else ""


def _reason(errors: Sequence[Diagnostic]) -> str:
    if not errors:
        return ""
    first = errors[0]
    said = f"{first.summary}: {first.detail}" if first.detail else first.summary
    return f"{said} (and {len(errors) - 1} more)" if len(errors) > 1 else said
