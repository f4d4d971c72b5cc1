"""What karrots asks of a place where clusters live. A provider is a module with these functions.

The contract is cut high, so that a provider says only what is true of its cloud; everything else is in the steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from karrots.adapters.flux import GitAccess
    from karrots.adapters.kube import Access, Kube
    from karrots.adapters.tokens import Tokens
    from karrots.fleet.record import Record
    from karrots.spec.cluster import ClusterSpec
    from karrots.spec.fleet import Cloud


@dataclass(frozen=True)
class Check:
    """One thing looked at before anything is made; `hint` is the command that mends it.

    `login`: what stops it is that somebody has to log in.
    """

    what: str
    ok: bool
    found: str
    hint: str = ""
    login: bool = False


@dataclass(frozen=True)
class Origin:
    """What a branch comes from: `parent`, while that lives, and `spec`, the content of the branch.

    `removing`: nothing is going to be made any more, so nobody need be asked how things are.
    """

    parent: Record | None
    spec: ClusterSpec
    removing: bool = False

    @property
    def network(self) -> Record | None:
        """The cluster whose network this one lives in, where it has none of its own."""
        return self.parent if self.spec.network.mode == "shared" else None


@dataclass(frozen=True)
class Leftover:
    """Something of a destroyed cluster that is still there. `doubtful`: nothing proves that it is this cluster's."""

    kind: str
    name: str
    doubtful: bool = False


@dataclass(frozen=True)
class Part:
    """One component of the cluster as the provider sees it; `real` is False for what is simulated."""

    name: str
    state: str
    real: bool = True
    detail: str = ""


@dataclass(frozen=True)
class Footprint:
    """What a cluster holds of the world while it lives, by kind: process ids, ports, folders, cloud ids …"""

    held: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Swept:
    """How many things of each kind were looked for after a destroy, and which of them are still there."""

    looked_for: Mapping[str, int]
    left: tuple[Leftover, ...] = ()


@dataclass(frozen=True)
class Patience:
    """Seconds that a wait inside of a verb may last when nobody says otherwise: on the way up, and on the way down."""

    up: float
    down: float


# Of memory, for one run of Terraform with a cloud's provider (AWS's 5.100.0 and Terraform itself, measured).
TERRAFORM_BYTES = 650 << 20
# Nodes of a cloud take minutes to join, and what balances load takes minutes to let its network go.
OF_A_CLOUD = Patience(up=900.0, down=900.0)


@dataclass(frozen=True)
class Price:
    """`hourly` is what all of it costs an hour."""

    what: str
    hourly: float


@dataclass(frozen=True)
class Estimate:
    """What such a cluster costs an hour by list price, and how many minutes it usually takes to make (from, to).

    `source` names the price list and its day; `unpriced` is what it has no price for.
    """

    prices: tuple[Price, ...]
    currency: str
    source: str
    minutes: tuple[float, float]
    unpriced: tuple[str, ...] = ()

    @property
    def hourly(self) -> float:
        return sum(price.hourly for price in self.prices)


class Provider(Protocol):
    """`CLUSTER_RESOURCES`: addresses in the root whose end is the cluster's end.

    `ANSWERS`: how a provisioner begins to say that the API server answers; "" where none of them knows.
    `MEMORY`: bytes that a run of Terraform takes, 0 where it is not worth a thought.
    `settings` is the provider's section of karrots.yaml; None where there is none, as in a destroy after the file is
    gone: then the record alone leads.
    """

    @property
    def NAME(self) -> str: ...  # noqa: N802  (a module's constant)

    @property
    def CLUSTER_RESOURCES(self) -> tuple[str, ...]: ...  # noqa: N802

    @property
    def ANSWERS(self) -> str: ...  # noqa: N802

    @property
    def PATIENCE(self) -> Patience: ...  # noqa: N802

    @property
    def MEMORY(self) -> int: ...  # noqa: N802

    def preflight(
        self, spec: ClusterSpec, record: Record, settings: Cloud | None, parent: Record | None
    ) -> list[Check]:
        """Whether this computer and account can carry such a cluster; nothing is changed. `parent` when it lives."""

    def estimate(self, spec: ClusterSpec, record: Record) -> Estimate | None:
        """Of a cluster that is not made yet; None where it costs nothing. No network is used."""

    def variables(
        self, record: Record, settings: Cloud | None, repository: Path, origin: Origin | None = None
    ) -> Mapping[str, Any]:
        """What the provider adds to identity.auto.tfvars.json.

        `settings` are its section of karrots.yaml; `repository` is the git directory of the fleet; `origin` is None
        where it was made from nothing.
        """

    def access(self, record: Record, outputs: Mapping[str, Any], settings: Cloud | None) -> Access | None:
        """How to reach the API server, from Terraform's outputs where there are some; None when there is none."""

    def tokens(self, record: Record, settings: Cloud | None) -> Tokens | None:
        """What logs in to the API server, without asking anybody where it is; None where files do."""

    def git_access(self, record: Record, remote_url: str | None) -> GitAccess | None:
        """Where Flux in that cluster finds the fleet repository; None: as git.access of karrots.yaml says."""

    def lost(self, record: Record) -> tuple[str, ...]:
        """Addresses in the root whose object is gone behind Terraform's back, to be made again."""

    def untaint(self, record: Record, state: Mapping[str, Any], settings: Cloud | None) -> tuple[str, ...]:
        """Addresses that a stopped run left tainted in Terraform's state, and whose object is whole.

        Waits while the cloud is still making it.
        """

    def unknown(self, record: Record, state: Mapping[str, Any], settings: Cloud | None) -> tuple[Leftover, ...]:
        """What Terraform made for this cluster and `state` does not know, as it was killed before it could save that.

        Only what bears the cluster's id.
        """

    def imports(
        self, record: Record, strangers: Sequence[Leftover], settings: Cloud | None, spec: ClusterSpec
    ) -> Mapping[str, str]:
        """By address in the root that is rendered of `spec`, what Terraform takes each of these over by.

        {} when it cannot do with all. Waits while the cloud is still making one.
        """

    def tend(self, record: Record) -> list[str]:
        """Mend what the provider itself can (restart a dead process); names what was mended."""

    def parts(self, record: Record, settings: Cloud | None) -> list[Part]:
        """What the cluster is made of, for `status` and `show`."""

    def footprint(self, record: Record, settings: Cloud | None) -> Footprint:
        """What the cluster holds now; read before a destroy, so that the sweep can look at each of it again."""

    def refuse_destroy(self, record: Record, settings: Cloud | None) -> None:
        """Raises Refused where Terraform itself would, and says what to do; asked before anything is touched."""

    def drain(self, record: Record, kube: Kube | None, settings: Cloud | None) -> tuple[Leftover, ...]:
        """What the cluster's controllers made outside of it and is still there; asked again until there is nothing.

        Each time it goes on with taking that away. `kube` is None when no API server answers.
        """

    def sweep(self, record: Record, footprint: Footprint, settings: Cloud | None) -> Swept:
        """Look for anything of this cluster that is still there: the footprint, and whatever else bears its id."""

    def reclaim(
        self,
        record: Record,
        footprint: Footprint,
        settings: Cloud | None,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        """End what is provably this cluster's and no Terraform state knows of; fine when there is nothing.

        With `state`, what that knows is left to Terraform, which comes after.
        """
