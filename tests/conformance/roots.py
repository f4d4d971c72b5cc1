"""Roots as the conformance suite tries them: of any provider, of a cluster that does not exist."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from karrots import clock, places
from karrots.fleet import identity
from karrots.fleet.record import Record, new_id
from karrots.providers import PROVIDERS
from karrots.render import terraform as rendering
from karrots.spec.cluster import load_cluster

if TYPE_CHECKING:
    from pathlib import Path

    from karrots.spec.cluster import ClusterSpec

NODES = {
    "fixed": "count: 3",
    "scaled": "min: 1\n    max: 4",
    "none": "count: 0",
    "none in one": "count: 0\n  more:\n    count: 1",
}
# What a cloud has no way to make, and says so.
REFUSED = {("aks", "none")}
PLACES = {"eks": ("eu-central-1", "123456789012"), "gke": ("europe-west3", "fleet-dev"), "aks": ("westeurope", "0" * 8)}


def spec_of(provider: str, nodes: str = "count: 2") -> ClusterSpec:
    text = (
        f"apiVersion: karrots.dev/v1\nkind: Cluster\nprovider: {provider}\nkubernetes: '1.36'\n"
        f"nodes:\n  default:\n    {nodes}\n"
    )
    return load_cluster(text, "cluster.yaml")


def record_of(provider: str, name: str = "qa") -> Record:
    region, account = PLACES.get(provider, ("", ""))
    return Record(
        id=new_id(),
        name=name,
        directory="clusters/qa",
        branch='feature/${file("/etc/passwd")}',
        provider=provider,
        created=clock.stamp(),
        domain=f"{name}.example.com",
        network="10.64.0.0/20",
        owner="ada@example.com",
        host="elsewhere" if provider == "local" else "",
        region=region,
        account=account,
    )


def root_of(folder: Path, provider: str, spec: ClusterSpec, record: Record) -> Path:
    folder.mkdir(exist_ok=True)
    for path, text in rendering.render(spec, places.templates() / provider).items():
        (folder / path).write_text(text)
    variables: dict[str, Any] = {
        **identity.terraform_variables(record),
        **PROVIDERS[provider].variables(record, None, folder),
    }
    (folder / rendering.IDENTITY_FILE).write_text(json.dumps(variables))
    return folder
