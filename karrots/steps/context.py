"""What the steps of one operation know and hand on to each other, as typed fields."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from karrots.errors import Failed
from karrots.providers.base import Footprint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from karrots.adapters.flux import FluxState, GitAccess
    from karrots.adapters.kube import Kube
    from karrots.adapters.terraform import Plan, Root
    from karrots.fleet.record import Record
    from karrots.fleet.workspace import Workspace
    from karrots.lint.walk import Walk
    from karrots.pipeline import Run
    from karrots.providers.base import Check, Provider
    from karrots.spec.cluster import ClusterSpec
    from karrots.spec.fleet import Cloud
    from karrots.steps.ahead import Ahead


@dataclass
class Context:
    """`commit` is the content's commit; its files are read from `content` (a revision) below `content_directory`.

    `take_over` is the id of an operation, or of a lock of the Terraform state, that somebody typed. `content_commit` is
    the commit that was rendered and planned; `commit` moves on when somebody commits meanwhile. `goes_on`: the cluster
    was in the ledger before this operation. `agree` asks for a yes that only a person can type.
    """

    workspace: Workspace
    run: Run
    record: Record
    provider: Provider
    spec: ClusterSpec
    commit: str
    content: str
    confirm: Callable[[str], bool]
    timeout: float = 300.0
    take_over: str = ""
    goes_on: bool = False
    content_directory: str = ""
    content_commit: str = ""
    checks: list[Check] = field(default_factory=list)
    root: Root | None = None
    plan: Plan | None = None
    applied: bool = False
    outputs: Mapping[str, Any] = field(default_factory=dict)
    ahead: Ahead | None = None
    walked: Walk | None = None
    git: GitAccess | None = None
    agree: Callable[[str], bool] = lambda _: False
    agreed: bool = False
    kube: Kube | None = None
    flux: FluxState | None = None
    removed: int = 0
    footprint: Footprint = field(default_factory=Footprint)
    leave_doubtful: bool = False
    receipt: dict[str, Any] = field(default_factory=dict)
    resources: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.content_directory = self.content_directory or self.record.directory
        self.content_commit = self.commit

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.resources.close()

    @property
    def section(self) -> Cloud | None:
        """What karrots.yaml sets for the provider."""
        return self.workspace.section(self.provider.NAME)

    def api(self) -> Kube:
        """Raises Failed before the step that connects."""
        if self.kube is None:
            raise Failed(f"cluster '{self.record.name}' is not connected yet")
        return self.kube

    def change(self, **fields: Any) -> Record:
        self.record = replace(self.record, **fields)
        return self.record
