"""The clouds' real Terraform providers, where this computer has them: tests never fetch one.

They are looked for in the folder that KARROTS_TEST_PROVIDER_MIRROR names, and where the user's own Terraform is told to
look (`filesystem_mirror` of its CLI configuration). With a network, `terraform providers mirror FOLDER` in a rendered
root makes such a folder.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.support import environment

MIRROR = re.compile(r'filesystem_mirror\s*\{[^}]*?path\s*=\s*"([^"]+)"')
NONE = (
    "there is no mirror with the real provider {name}: name one in KARROTS_TEST_PROVIDER_MIRROR "
    "(CONTRIBUTING.md, Which tests to run)"
)


def mirror(name: str) -> Path | None:
    """The folder that holds this provider, `hashicorp/aws`, for a mirror's readers."""
    folders = [environment.REAL.get("KARROTS_TEST_PROVIDER_MIRROR", ""), *_configured()]
    found = (Path(folder) for folder in folders if folder)
    return next((folder for folder in found if (folder / "registry.terraform.io" / name).is_dir()), None)


def _configured() -> list[str]:
    home = Path(environment.REAL.get("HOME", os.devnull))
    settings = Path(environment.REAL.get("TF_CLI_CONFIG_FILE", home / ".terraformrc"))
    return MIRROR.findall(settings.read_text(encoding="utf-8")) if settings.is_file() else []


def configured(name: str, folder: Path) -> Path:
    """A CLI configuration in `folder` that installs from the mirror and nowhere else; skips, aloud, without one."""
    found = mirror(name)
    if found is None:
        pytest.skip(NONE.format(name=name))
    settings = folder / "terraformrc"
    settings.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{found}"\n  }}\n}}\n')
    return settings
