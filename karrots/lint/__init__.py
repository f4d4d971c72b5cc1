"""Finds in a cluster directory what Flux would stumble over, before anything is paid for. Files in, findings out."""

from __future__ import annotations

from karrots.lint.finding import Finding
from karrots.lint.mend import fix
from karrots.lint.rules import lint

__all__ = ["Finding", "fix", "lint"]
