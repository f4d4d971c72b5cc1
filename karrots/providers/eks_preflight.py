"""What can be known of an EKS cluster before its first paid minute. The questions are asked side by side."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from karrots.adapters import aws_account, aws_dns, aws_eks
from karrots.adapters.aws import Aws
from karrots.adapters.aws_account import ADDRESSES, CLUSTERS, NAT_GATEWAYS, VCPUS, VPCS, Quota
from karrots.adapters.aws_errors import AwsExtraMissing, AwsLoginNeeded
from karrots.adapters.aws_things import ID
from karrots.errors import KarrotsError
from karrots.fleet.cloud_names import names
from karrots.providers.base import Check
from karrots.providers.cloud import taken
from karrots.providers.dns_zone import zone_rows
from karrots.providers.eks_defaults import from_parent, living
from karrots.providers.endpoint import endpoint_check, private_check
from karrots.providers.questions import address_range, no_parent, of_error, side_by_side
from karrots.spec import fleet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from karrots.adapters.aws_eks import Cluster
    from karrots.fleet.record import Record
    from karrots.spec.cluster import ClusterSpec, NodePool
    from karrots.spec.fleet import Cloud

DEFAULT_SIZE = "m6i.large"  # as templates/eks/variables.tf has it
LEAST_SECONDS = 60 * 60.0  # a create takes a quarter of an hour, and a night shift has to be finished too
CONTROL_PLANE_ZONES = 2
SETTINGS_HINT = "add providers.eks (account, region, state.bucket) to karrots.yaml"


@dataclass(frozen=True)
class Question:
    """All that the checks ask with. Shared between their threads."""

    aws: Aws
    spec: ClusterSpec
    record: Record
    settings: fleet.Eks
    parent: Record | None

    @property
    def name(self) -> str:
        return names(self.record)["cluster"]

    @property
    def pools(self) -> dict[str, NodePool]:
        """Auto Mode makes nodes by itself."""
        return {} if self.spec.eks.auto_mode else self.spec.nodes

    @cached_property
    def there(self) -> Cluster | None:
        return aws_eks.cluster(self.aws, self.name)

    @property
    def is_made(self) -> bool:
        return self.there is not None and self.there.tags.get(ID) == self.record.id


def checks(spec: ClusterSpec, record: Record, settings: Cloud | None, parent: Record | None) -> list[Check]:
    if not isinstance(settings, fleet.Eks):
        return [Check("karrots.yaml", ok=False, found="it says nothing of providers.eks", hint=SETTINGS_HINT)]
    try:
        aws = Aws(record.region or settings.region, settings.profile)
    except KarrotsError as error:
        return [of_error("AWS SDK" if isinstance(error, AwsExtraMissing) else "AWS login", error)]
    return answered(Question(aws, spec, record, settings, parent))


def answered(question: Question) -> list[Check]:
    """Where nobody is logged in, nothing else can be asked: one row says it, and not twelve."""
    login, region, *others = side_by_side(CHECKS, question)
    if isinstance(login.error, AwsLoginNeeded):
        unusable = [row for row in region.rows if not row.ok and not isinstance(region.error, AwsLoginNeeded)]
        return unusable or list(login.rows)
    if region.error is None and not all(row.ok for row in region.rows):
        return [*login.rows, *region.rows]
    return [row for found in (login, region, *others) for row in found.rows]


def login(question: Question) -> list[Check]:
    caller = aws_account.caller(question.aws, question.record.account or question.settings.account)
    lasts = aws_account.lifetime(question.aws)
    return [Check("AWS login", ok=True, found=f"{caller.arn} in {caller.account}"), lasting(lasts)]


def lasting(found: aws_account.Lifetime) -> Check:
    what = "AWS credentials"
    if found.renewed or not found.temporary:
        return Check(what, ok=True, found=f"{found.way}, renewed" if found.renewed else f"{found.way}, permanent")
    if found.seconds is None:
        return Check(what, ok=True, found=f"{found.way}, temporary; nothing says until when")
    minutes = int(found.seconds // 60)
    hint = "" if found.seconds >= LEAST_SECONDS else "log in anew for at least an hour: aws sso login"
    return Check(what, ok=found.seconds >= LEAST_SECONDS, found=f"{found.way}, end in {minutes} min", hint=hint)


def region(question: Question) -> list[Check]:
    name = question.aws.region
    known = aws_account.regions(question.aws)
    if name not in known:
        near = ", ".join(sorted(it for it in known if it.startswith(name[:3]))) or ", ".join(sorted(known))
        hint = f"correct providers.eks.region in karrots.yaml: {near}"
        return [Check("AWS region", ok=False, found=f"there is no region '{name}'", hint=hint)]
    hint = "" if known[name] else f"aws account enable-region --region-name {name}   (takes some minutes)"
    found = name if known[name] else f"'{name}' is not enabled for the account"
    return [Check("AWS region", ok=known[name], found=found, hint=hint)]


def version(question: Question) -> list[Check]:
    wanted = question.spec.kubernetes
    offered = aws_eks.versions(question.aws)
    found = next((it for it in offered if it.name == wanted), None)
    listed = ", ".join(it.name + ("" if it.supported else " (extended support)") for it in offered)
    if found is None:
        hint = f"set kubernetes in cluster.yaml to one of: {listed}"
        return [Check("Kubernetes version", ok=False, found=f"EKS has no {wanted} in {question.aws.region}", hint=hint)]
    if not found.supported and not question.is_made:
        hint = f"set kubernetes in cluster.yaml to one of: {listed}"
        return [Check("Kubernetes version", ok=False, found=f"{wanted} is out of standard support", hint=hint)]
    return [Check("Kubernetes version", ok=True, found=wanted)]


def quota_of(quota: Quota, needed: Callable[[Question], int]) -> Callable[[Question], list[Check]]:
    def check(question: Question) -> list[Check]:
        used = aws_account.used(question.aws, quota)
        own = sum(1 for tags in used if tags.get(ID) == question.record.id)
        more = 0 if question.is_made else max(0, needed(question) - own)
        most = aws_account.limit(question.aws, quota)
        return [quota_row(quota, len(used), more, most)]

    return check


def quota_row(quota: Quota, used: int, more: int, most: float | None) -> Check:
    if most is None:
        return Check(quota.what, ok=True, found=f"{used} used, {more} more needed; AWS does not say how many it allows")
    found = f"{used} of {most:.0f} used, {more} more needed"
    if more == 0 or used + more <= most:
        return Check(quota.what, ok=True, found=found)
    raised = max(used + more, int(most) * 2)
    hint = (
        f"aws service-quotas request-service-quota-increase --service-code {quota.service} "
        f"--quota-code {quota.code} --desired-value {raised}\nor destroy clusters that are not needed: karrots ls"
    )
    return Check(quota.what, ok=False, found=found, hint=hint)


def vpcs_needed(question: Question) -> int:
    return int(question.spec.network.mode == "own")


def nat_needed(question: Question) -> int:
    network = question.spec.network
    count = {"none": 0, "single": 1, "per-zone": network.zones}[network.nat]
    return count if network.mode == "own" else 0


def vcpus_needed(question: Question) -> int:
    pools = [pool for pool in question.pools.values() if not pool.spot and pool.initial]
    if not pools:
        return 0
    each = aws_account.vcpus(question.aws, [pool.size or DEFAULT_SIZE for pool in pools])
    return sum(each.get(pool.size or DEFAULT_SIZE, 0) * pool.initial for pool in pools)


def machines(question: Question) -> list[Check]:
    if not question.pools:
        return [Check("instance types", ok=True, found="EKS Auto Mode chooses")]
    wanted = {pool.size or DEFAULT_SIZE for pool in question.pools.values()}
    zones = set(aws_account.zones(question.aws)[: question.spec.network.zones])
    return [_machine(size, places, zones) for size, places in sorted(aws_account.offered(question.aws, wanted).items())]


def _machine(size: str, places: set[str], zones: set[str]) -> Check:
    what = f"instance type {size}"
    if not places:
        return Check(what, ok=False, found="the region has none", hint="choose another size in cluster.yaml")
    missing = sorted(zones - places)
    if missing:
        hint = f"choose another size in cluster.yaml, or fewer zones: {size} is in {', '.join(sorted(places))}"
        return Check(what, ok=False, found=f"not in {', '.join(missing)}", hint=hint)
    return Check(what, ok=True, found=f"in {', '.join(sorted(zones))}")


def zones(question: Question) -> list[Check]:
    found = aws_account.zones(question.aws)
    needed = max(question.spec.network.zones, CONTROL_PLANE_ZONES)
    hint = "" if len(found) >= needed else f"set network.zones in cluster.yaml to {len(found)} or less"
    return [Check("zones", ok=len(found) >= needed, found=f"{len(found)} of {needed} needed", hint=hint)]


def addresses(question: Question) -> list[Check]:
    if question.spec.network.mode == "shared":
        return [shared_network(question)]
    return [address_range(question.record.network, question.parent, partial(parents_ranges, question))]


def shared_network(question: Question) -> Check:
    parent, what = question.parent, "network"
    if parent is None:
        return no_parent()
    there = living(question.aws, parent)
    if there is None:
        found = f"it is to be that of '{parent.name}', which EKS in {question.aws.region} does not have"
        return Check(what, ok=False, found=found, hint=f"karrots status {parent.name}")
    return Check(what, ok=True, found=f"{there.vpc} of '{parent.name}'")


def parents_ranges(question: Question, parent: Record) -> list[str]:
    """As AWS has them now, which may be more than the one that was leased."""
    leased = [parent.network] if parent.network else []
    if parent.provider != question.record.provider or parent.region != question.record.region:
        return leased
    found = aws_eks.cluster(question.aws, names(parent)["cluster"])
    live = aws_account.ranges(question.aws, found.vpc) if found is not None and found.vpc else []
    return sorted({*leased, *live})


def api_server(question: Question) -> list[Check]:
    """Of one that is not on the internet: is there a way to it?"""
    if question.spec.network.api != "private":
        return []
    there = question.there
    if there is not None and question.is_made and there.answers:
        return [endpoint_check("eks", there.endpoint, aws_eks.pem(there.authority), private=True)]
    return private_check("eks", question.spec, _near(question))


def _near(question: Question) -> str:
    """An API server in the network that is going to be shared."""
    if question.parent is None or question.spec.network.mode != "shared":
        return ""
    found = aws_eks.cluster(question.aws, names(question.parent)["cluster"])
    return found.endpoint if found is not None else ""


def name(question: Question) -> list[Check]:
    if question.there is not None and not question.is_made:
        hint = (
            f"choose another name: karrots branch --name …   (or look: aws eks describe-cluster --name {question.name})"
        )
        found = f"EKS has a cluster '{question.name}' that is not of this fleet's record"
        return [Check("cluster name", ok=False, found=found, hint=hint)]
    return [Check("cluster name", ok=True, found=question.name + (" (made)" if question.is_made else " is free"))]


def inherited(question: Question) -> list[Check]:
    parent = question.parent
    if parent is None or question.is_made:
        return []
    return [taken(question.record, parent, lambda: from_parent(question.aws, question.spec, parent))]


def dns_zone(question: Question) -> list[Check]:
    make = "aws route53 create-hosted-zone --name NAME --caller-reference NAME"
    account = f"account {question.record.account or question.settings.account}"
    return zone_rows(question.spec, question.record, lambda: aws_dns.zones(question.aws).values(), account, make)


# What the row is called where the question itself fails; the first two tell where nothing else can be asked.
CHECKS: tuple[tuple[str, Callable[[Question], Sequence[Check]]], ...] = (
    ("AWS login", login),
    ("AWS region", region),
    ("cluster name", name),
    ("Kubernetes version", version),
    ("from the parent", inherited),
    ("zones", zones),
    ("instance types", machines),
    ("address range", addresses),
    ("API server", api_server),
    ("DNS zone", dns_zone),
    (CLUSTERS.what, quota_of(CLUSTERS, lambda _: 1)),
    (VPCS.what, quota_of(VPCS, vpcs_needed)),
    (ADDRESSES.what, quota_of(ADDRESSES, nat_needed)),
    (NAT_GATEWAYS.what, quota_of(NAT_GATEWAYS, lambda question: min(1, nat_needed(question)))),
    (VCPUS.what, quota_of(VCPUS, vcpus_needed)),
)
