"""`make azurerm MIRROR=FOLDER`: the provider as Terraform finds it there, for `make schemas MIRROR=FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support import azurerm

if __name__ == "__main__":
    place = azurerm.mirror(Path(sys.argv[1]).absolute(), azurerm.built())
    sys.stdout.write(f"{place}\n")
