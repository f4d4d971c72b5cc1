"""HashiCorp's azurerm at work on a root."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots.adapters import process
from karrots.errors import ToolFailed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.azurerm import Azure
    from tests.support.variants import Variant

PATIENCE = 300.0

Shown = dict[str, Any]


@dataclass(frozen=True)
class Provider:
    """What a Terraform needs to find the provider and its Azure."""

    azure: Azure
    environment: Mapping[str, str]

    def terraform(self, folder: Path, *argv: str) -> str:
        return process.run(
            ["terraform", *argv, "-no-color"], cwd=folder, env=dict(self.environment), timeout=PATIENCE
        ).text

    def initialised(self, folder: Path, variant: Variant) -> Path:
        variant.write(folder)
        (folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
        self.terraform(folder, "init", "-input=false")
        return folder

    def refusal(self, folder: Path) -> str:
        """What it says against a plan; nothing when it makes one."""
        try:
            self.terraform(folder, "plan", "-input=false")
        except ToolFailed as error:
            return error.tail
        return ""

    def planned(self, folder: Path) -> Shown:
        """Without a look at what is there: Azure here has nothing."""
        said = self.terraform(folder, "plan", "-input=false", "-refresh=false", "-out=plan")
        assert "Warning" not in said
        shown: Shown = json.loads(self.terraform(folder, "show", "-json", "plan"))
        return shown
