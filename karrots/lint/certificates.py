"""Which certificates content asks Let's Encrypt's production for: those are counted there, by week."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.lint.tree import Tree
from karrots.lint.walk import walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from karrots.lint.build import Object
    from karrots.lint.walk import Walk

PRODUCTION = "acme-v02.api.letsencrypt.org"
GROUP = "cert-manager.io"
DOMAIN = "${cluster_domain}"


def counted(files: Mapping[str, bytes], directory: str, domain: str) -> list[tuple[str, ...]]:
    """The names in each, in order; `domain` is the cluster's."""
    if not any(PRODUCTION.encode() in data for data in files.values()):
        return []
    walked = walk(Tree(files, directory))
    issuers = {
        each.name for each in _of(walked, "ClusterIssuer", "Issuer") if PRODUCTION in str(each.spec("acme", "server"))
    }
    asked = [each for each in _of(walked, "Certificate") if each.spec("issuerRef", "name") in issuers]
    return [_names(each, domain) for each in asked]


def _of(walked: Walk, *kinds: str) -> Iterator[Object]:
    for scope in walked.scopes:
        yield from (each for each in scope.build.objects if each.kind in kinds and each.group == GROUP)


def _names(certificate: Object, domain: str) -> tuple[str, ...]:
    listed = certificate.spec("dnsNames")
    names = listed if isinstance(listed, list) else []
    return tuple(sorted(str(name).replace(DOMAIN, domain).lower() for name in names))
