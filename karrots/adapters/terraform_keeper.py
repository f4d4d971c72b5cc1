"""What a root asks of whoever keeps its state: karrots itself (StateServer), or a cloud (CloudState)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from karrots.adapters.process import Completed
    from karrots.errors import Diagnostic, KarrotsError


class Ask(Protocol):
    """Runs Terraform in the root's folder to its end, whatever its exit status. `build` gets the program."""

    def __call__(self, build: Callable[[Path], Sequence[str]], /) -> Completed: ...


class Keeper(Protocol):
    """`backend` is Terraform's name of it, `settings` go to init and are no secrets.

    `patience`: how long the first try waits for the lock.
    """

    @property
    def backend(self) -> str: ...

    @property
    def settings(self) -> Mapping[str, str]: ...

    @property
    def patience(self) -> str: ...

    def environment(self) -> dict[str, str]:
        """What Terraform needs to reach it."""

    def ready(self, ask: Ask) -> None:
        """The backend can be reached now."""

    def begin(self, pid: int, folder: Path) -> None:
        """A Terraform is about to start; what is raised stops it."""

    def heard(self, line: str, ask: Ask) -> None:
        """A line of it."""

    def let_go(self, ask: Ask, *, well: bool) -> None:
        """It is gone, however it ended: no lock of its own may stay."""

    def end(self, pid: int) -> None:
        """What it left behind is safe."""

    def refused(self, diagnostics: Sequence[Diagnostic]) -> KarrotsError | None:
        """What of the keeper's stopped it; None when it was something else."""

    def document(self, ask: Ask) -> Mapping[str, Any] | None:
        """The state as it is now; None when there is none."""

    def adopt(self, file: Path, ask: Ask) -> None:
        """Keep a state that Terraform could not send and left in a file."""
