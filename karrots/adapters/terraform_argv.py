"""Command lines of Terraform, built by python-terraform; building is apart from running, so that each can be seen.

Of python-terraform 0.10.1 only `generate_cmd_string` is used, which turns options into an argument list. Its
constructor reads the backend's configuration as if it were a state, its verbs send flags that Terraform has dropped,
and its runner waits in silence, so none of them is called. A dict would be written to a temporary file that stays:
only `backend_config` is ever given as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# Terraform gives up on a held lock at once unless told to wait.
LOCK_TIMEOUT = "5m"
# Since 1.14 the default follows the CPU limit of the container, and most of our time is spent waiting for a cloud.
PARALLELISM = 20


def build(program: Path, verb: str, *arguments: str, **options: Any) -> list[str]:
    """`FLAG` for an option without a value, None to leave it out, a list to repeat it."""
    from python_terraform import Terraform

    builder = Terraform.__new__(Terraform)
    builder.terraform_bin_path = str(program)
    argv: list[str] = builder.generate_cmd_string(verb, *arguments, **options)
    return argv


def flag(*, wanted: bool = True) -> Any:
    from python_terraform import IsFlagged

    return IsFlagged if wanted else None


def version(program: Path) -> list[str]:
    return build(program, "version")


def init(
    program: Path,
    *,
    json: bool = True,
    backend_config: Mapping[str, str] | None = None,
    keep_lock_file: bool = False,
    upgrade: bool = False,
    lock_timeout: str = "",
    backend: bool = True,
) -> list[str]:
    """`keep_lock_file` makes a provider that `.terraform.lock.hcl` does not name an error."""
    return build(
        program,
        "init",
        input=False,
        no_color=flag(),
        json=flag(wanted=json),
        # Every run starts from its own folder: there is never a backend to migrate from.
        reconfigure=flag(),
        lockfile="readonly" if keep_lock_file else None,
        upgrade=flag(wanted=upgrade),
        lock_timeout=lock_timeout or LOCK_TIMEOUT,
        backend=None if backend else False,
        backend_config=dict(backend_config or {}),
    )


def validate(program: Path) -> list[str]:
    return build(program, "validate", json=flag(), no_color=flag())


def plan(
    program: Path,
    out: Path,
    *,
    destroy: bool = False,
    refresh: bool = True,
    replace: Sequence[str] = (),
    targets: Sequence[str] = (),
    lock_timeout: str = "",
) -> list[str]:
    return build(
        program,
        "plan",
        input=False,
        no_color=flag(),
        json=flag(),
        detailed_exitcode=flag(),
        lock_timeout=lock_timeout or LOCK_TIMEOUT,
        parallelism=PARALLELISM,
        destroy=flag(wanted=destroy),
        refresh=None if refresh else False,
        replace=list(replace),
        target=list(targets),
        out=out,
    )


def apply(program: Path, plan_file: Path, *, lock_timeout: str = "") -> list[str]:
    """Only ever a saved plan: without one Terraform would have to ask, or be told not to."""
    return build(
        program,
        "apply",
        str(plan_file),
        input=False,
        no_color=flag(),
        json=flag(),
        lock_timeout=lock_timeout or LOCK_TIMEOUT,
        parallelism=PARALLELISM,
    )


def output(program: Path) -> list[str]:
    return build(program, "output", json=flag(), no_color=flag())


def show(program: Path, plan_file: Path | None = None) -> list[str]:
    """Of the present state when no plan is named."""
    return build(program, "show", *([str(plan_file)] if plan_file else []), json=flag(), no_color=flag())


def state_push(program: Path, state_file: Path) -> list[str]:
    return build(program, "state push", str(state_file), lock_timeout=LOCK_TIMEOUT)


def state_pull(program: Path) -> list[str]:
    return build(program, "state pull")


def untaint(program: Path, address: str, *, lock_timeout: str = "") -> list[str]:
    return build(program, "untaint", address, no_color=flag(), lock_timeout=lock_timeout or LOCK_TIMEOUT)


def force_unlock(program: Path, lock_id: str) -> list[str]:
    """With an id that no lock has it changes nothing, and says whose the lock is."""
    return build(program, "force-unlock", lock_id, force=flag(), no_color=flag())
