"""What a copy of a cluster must not do to the outside world: found in content, and held at admission. Pure."""

from __future__ import annotations

from karrots.fence.find import Find, Owner, Sought, find
from karrots.fence.policies import Terms
from karrots.fence.selection import Decisions, canonical

__all__ = ["Decisions", "Find", "Owner", "Sought", "Terms", "canonical", "find"]
