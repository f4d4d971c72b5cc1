from __future__ import annotations

from typing import TYPE_CHECKING

from karrots import places
from karrots.render import fleet

if TYPE_CHECKING:
    from tests.golden.conftest import Golden


def test_new_fleet(golden: Golden) -> None:
    golden("new-fleet", fleet.render(fleet.FleetOptions(domain="dev.example.com"), places.templates()))
