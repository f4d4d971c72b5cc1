"""What is written on everything a cluster has in a cloud, so that it can be found, billed and swept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from karrots.fleet.record import Record

# https://cloud.google.com/resource-manager/docs/labels-overview#requirements
LABEL_LENGTH = 63
# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html#id_tags_naming_best_practices
TAG_LENGTH = 256


def tags(record: Record) -> dict[str, str]:
    """For the cloud the record names: AWS tags, Google labels, Azure tags; {} elsewhere."""
    facts = {name: value for name, value in _facts(record).items() if value}
    if record.provider == "eks":
        return {f"karrots.dev/{name}": _tag(value) for name, value in facts.items()}
    if record.provider == "gke":
        return {f"karrots-{name}": _label(value) for name, value in facts.items()}
    if record.provider == "aks":
        return {f"karrots-{name}": value[:TAG_LENGTH] for name, value in facts.items()}
    return {}


def _facts(record: Record) -> dict[str, str]:
    return {
        "cluster": record.name,
        "id": record.id,
        "branch": record.branch,
        "owner": record.owner,
        "expires": record.expires or "",
        "parent": record.parent.name if record.parent else "",
    }


def _tag(value: str) -> str:
    return re.sub(r"[^\w\s.:/=+@-]", "_", value)[:TAG_LENGTH]


def _label(value: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "-", value.lower())[:LABEL_LENGTH]
