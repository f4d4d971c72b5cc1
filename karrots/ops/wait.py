"""How far an operation goes; apart, so that the command line can name it without loading the operations."""

from __future__ import annotations

from enum import StrEnum


class Wait(StrEnum):
    """`infra`: Terraform is done. `none`: Flux is told as well. `ready`: Flux is Ready at the commit."""

    none = "none"
    infra = "infra"
    ready = "ready"
