"""cluster.yaml to a Terraform root: pure, from a specification and a template folder to texts by path.

Templates decide only which blocks exist. Values travel in cluster.auto.tfvars.json and nowhere else: Terraform
evaluates a string in HCL (`${file("…")}` would leak the file), one in a variables file it does not.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from karrots.errors import UsageError
from karrots.render.template import rendered
from karrots.spec import clouds
from karrots.spec.limits import fitted
from karrots.spec.services import ExternalSecrets, Velero, asking

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from karrots.spec.cluster import ClusterSpec

VARIABLES_FILE = "cluster.auto.tfvars.json"
IDENTITY_FILE = "identity.auto.tfvars.json"
# Made by `terraform init` and committed beside the root; never rendered.
LOCK_FILE = ".terraform.lock.hcl"

# What each provider's root declares beside its identity.
_VALUES: Mapping[str, tuple[str, ...]] = {
    "local": ("kubernetes_version", "nodes"),
    "eks": ("kubernetes_version", "nodes", "network", "eks"),
    "gke": ("kubernetes_version", "nodes", "network", "gke"),
    "aks": ("kubernetes_version", "nodes", "pool_names", "system_pool", "network", "aks"),
}


def render(spec: ClusterSpec, templates: Path, backend: str = "http") -> dict[str, str]:
    """Texts by path below the root. `templates` is the folder of one provider, which need not be the one of `spec`.

    `backend` is where Terraform keeps the state: `FleetSpec.providers.backend`.
    """
    if templates.name not in _VALUES or not templates.is_dir():
        raise UsageError(
            f"there are no Terraform templates for the provider '{templates.name}'",
            why=f"this version has them for {', '.join(_VALUES)}",
        )
    clouds.check(spec, templates.name)
    files = rendered(templates, {"spec": spec, "backend": backend, "asking": asking(spec)})
    files[VARIABLES_FILE] = _json(variables(spec, templates.name))
    return dict(sorted(files.items()))


def variables(spec: ClusterSpec, provider: str) -> dict[str, Any]:
    """What cluster.auto.tfvars.json holds for this provider."""
    known = {
        "kubernetes_version": spec.kubernetes,
        "nodes": {name: pool.model_dump(exclude_defaults=True) for name, pool in spec.nodes.items()},
        "pool_names": {name: fitted("aks-node-pool", name) for name in spec.nodes},
        "system_pool": clouds.system_pool(spec) if provider == "aks" else None,
        "network": spec.network.model_dump(),
        **{cloud: getattr(spec, cloud).model_dump() for cloud in ("eks", "gke", "aks")},
    }
    told = _told(spec) if provider == "eks" else {}
    return {name: known[name] for name in _VALUES[provider]} | ({"services": told} if told else {})


def _told(spec: ClusterSpec) -> dict[str, Any]:
    """What the root must know of services that are on, to give them rights and no more than those."""
    on = spec.services.on
    read, kept = on.get("external-secrets"), on.get("velero")
    told: dict[str, Any] = {}
    if isinstance(read, ExternalSecrets):
        told["external-secrets"] = {"reads": read.reads}
    if isinstance(kept, Velero) and "velero" in asking(spec):
        told["velero"] = {"bucket": kept.bucket}
    return told


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
