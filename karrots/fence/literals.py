"""Texts that are one cluster's own and stand in content, where every copy takes them for its own."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots.fence.kinds import CLAIMS, DNS_ANNOTATION, Hold
from karrots.lint.substitution import Path, strings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from karrots.fence.find import Owner

SHORTEST_ACCOUNT = 6  # shorter ones are words of their own
BUCKETS = {"bucket", "bucketname", "s3bucket", "bucketnames", "s3bucketname"}
PREFIX = "prefix"
VOLUMES = {"volumehandle", "volumeid", "pdname", "diskuri", "filesystemid"}
# Names that a cloud gives once: who takes one that is taken gets the traffic, or an error for ever.
BALANCERS = {
    "service.beta.kubernetes.io/aws-load-balancer-name",
    "service.beta.kubernetes.io/aws-load-balancer-eip-allocations",
    "service.beta.kubernetes.io/azure-pip-name",
    "alb.ingress.kubernetes.io/load-balancer-name",
    "alb.ingress.kubernetes.io/group.name",
    "kubernetes.io/ingress.global-static-ip-name",
    "networking.gke.io/load-balancer-ip-addresses",
    "loadBalancerIP",
}
# Images are read by everybody, so an account in an address of one does no harm.
IMAGES = {"image", "repository", "registry"}

IDENTITY = re.compile(r"\$\{cluster_\w+")
PLAIN_USE = re.compile(r"\$\{(\w+)\}")
ARN = re.compile(r"arn:aws[a-z-]*:(?:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:[^\s\"',;]+|s3:::[^\s\"',;]+)")
ADDRESS = re.compile(r"(?<![\w.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![\w.]*[\w])")
BUCKET_URL = re.compile(r"\b(?:s3|gs)://[^\s\"',;]+")
QUEUE_URL = re.compile(r"https://sqs\.[a-z0-9-]+\.amazonaws\.com/[0-9]{12}/[^\s\"',;]+")
INSIDE = (".svc", ".cluster.local", ".localhost")


@dataclass(frozen=True)
class What:
    """`reason` has a place for the texts that were found."""

    reason: str
    hold: Hold = "nothing"


CLAIM = What("claims the host {}, which is not below ${{cluster_domain}}")
HOST = What("names the host {} of another cluster")
ARN_OF = What("names {}, which belongs to one cluster's account and not to every copy")
ACCOUNT = What("names the account {}")
BUCKET = What("names the bucket {}, which the parent uses")
QUEUE = What("names the queue {}, which the parent uses")
BALANCER = What("asks for {}, which a cloud gives to one cluster only")
VOLUME = What("mounts {}, which is the parent's disk")
ADDRESSES = What("names {}, an address that copies do not reach", "egress")


@dataclass(frozen=True)
class Patterns:
    """Made once for a walk."""

    variables: Mapping[str, str]
    hosts: re.Pattern[str] | None
    accounts: re.Pattern[str] | None
    ranges: tuple[ipaddress.IPv4Network, ...]

    @classmethod
    def of(cls, variables: Mapping[str, str], owners: Sequence[Owner], addresses: Sequence[str]) -> Patterns:
        domains = sorted({re.escape(owner.domain) for owner in owners if owner.domain})
        accounts = sorted({re.escape(owner.account) for owner in owners if len(owner.account) >= SHORTEST_ACCOUNT})
        ranges = [ipaddress.ip_network(each) for each in addresses]
        return cls(
            variables,
            re.compile(rf"(?<![\w.${{}}-])(?:[a-z0-9*_-]+\.)*(?:{'|'.join(domains)})(?![\w-]|\.\w)")
            if domains
            else None,
            re.compile(rf"(?<![\w-])(?:{'|'.join(accounts)})(?![\w-])") if accounts else None,
            tuple(each for each in ranges if isinstance(each, ipaddress.IPv4Network)),
        )

    def of_object(self, kind: str, value: Mapping[str, Any]) -> dict[What, list[str]]:
        """The texts of each sort, in the order in which they stand."""
        found: dict[What, list[str]] = {}
        claimed = [self._filled(host) for host in claims(kind, value)]
        for host in claimed:
            if is_foreign(host):
                _add(found, CLAIM, host)
        texts = list(strings(value))
        parted = {path[:-1] for path, raw in texts if path[-1:] == (PREFIX,) and IDENTITY.search(raw)}
        for path, raw in texts:
            if path[:-1] in parted and str(path[-1]).lower() in BUCKETS:
                continue  # each cluster keeps to a folder of its own
            for what, text in self._of_text(kind, path, self._filled(raw), claimed):
                _add(found, what, text)
        return found

    def _filled(self, text: str) -> str:
        """With content's own variables, which are the same on every branch."""
        if "${" not in text:
            return text
        return PLAIN_USE.sub(lambda use: self.variables.get(use[1], use[0]), text)

    def _of_text(self, kind: str, path: Path, text: str, claimed: Sequence[str]) -> Iterator[tuple[What, str]]:
        key = str(next((step for step in reversed(path) if isinstance(step, str)), ""))
        if key in IMAGES or text == key:
            return
        yield from _by_key(kind, key, text)
        yield from _by_form(text)
        if self.hosts and text not in claimed:
            yield from ((HOST, found[0]) for found in self.hosts.finditer(text))
        if self.accounts and "arn:" not in text:
            yield from ((ACCOUNT, found[0]) for found in self.accounts.finditer(text))
        if self.ranges and "." in text:
            yield from ((ADDRESSES, found[0]) for found in ADDRESS.finditer(text) if self._is_closed(found[0]))

    def _is_closed(self, text: str) -> bool:
        try:
            address = ipaddress.IPv4Address(text)
        except ValueError:
            return False
        return any(address in each for each in self.ranges)


def _add(found: dict[What, list[str]], what: What, text: str) -> None:
    texts = found.setdefault(what, [])
    if text not in texts:
        texts.append(text)


def _by_key(kind: str, key: str, text: str) -> Iterator[tuple[What, str]]:
    if not text or IDENTITY.search(text):
        return
    low = key.lower()
    if key in BALANCERS:
        yield BALANCER, text
    elif low in VOLUMES:
        yield VOLUME, text
    elif low in BUCKETS and kind != "BackupStorageLocation":  # that one is held as a whole
        yield BUCKET, text


def _by_form(text: str) -> Iterator[tuple[What, str]]:
    if ":" not in text:
        return
    for what, pattern in ((ARN_OF, ARN), (BUCKET, BUCKET_URL), (QUEUE, QUEUE_URL)):
        for found in pattern.finditer(text):
            if not IDENTITY.search(found[0]):
                yield what, found[0]


def is_foreign(host: str) -> bool:
    """Whether a claimed host is the same text in every cluster, and one that others can see."""
    return "." in host and not IDENTITY.search(host) and not host.endswith(INSIDE)


def claims(kind: str, value: Mapping[str, Any]) -> Iterator[str]:
    """The hosts that an object wants traffic or a certificate for."""
    for path in CLAIMS.get(kind, ()):
        yield from _texts(value.get("spec"), path)
    metadata = value.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    said = annotations.get(DNS_ANNOTATION) if isinstance(annotations, Mapping) else None
    if isinstance(said, str):
        yield from (host.strip() for host in said.split(","))


def _texts(value: Any, path: Sequence[str]) -> Iterator[str]:
    """The texts at a path on which any step may lead through a list."""
    if isinstance(value, list):
        for each in value:
            yield from _texts(each, path)
    elif path:
        yield from _texts(value.get(path[0]) if isinstance(value, Mapping) else None, path[1:])
    elif isinstance(value, str):
        yield value
