"""A process of its own that claims one name: `python -m tests.support.claimer FOLDER REMOTE NAME OWNER GATE`.

It says that it stands ready, waits for the file GATE, so that many start at once, and prints what came of it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from karrots.adapters.git import Repository
from karrots.fleet.addresses import lease
from karrots.fleet.ledger import Ledger, NameTaken, View
from tests.support.records import record

if TYPE_CHECKING:
    from karrots.fleet.record import Record


def claim(ledger: Ledger, name: str, owner: str) -> dict[str, str]:
    mine = record(name, owner=owner)

    def build(view: View) -> Record:
        return record(
            name, id=mine.id, owner=owner, network=lease("10.64.0.0/16", 22, [each.network for each in view.records])
        )

    try:
        return {"owner": owner, "won": ledger.claim(name, build).id}
    except NameTaken as error:
        return {"owner": owner, "lost_to": error.record.owner, "said": f"{error.message}: {error.why}"}


def main() -> None:
    folder, remote, name, owner, gate = sys.argv[1:]
    ledger = Ledger(Repository.discover(Path(folder)), remote or None)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not Path(gate).exists():
        time.sleep(0.005)
    sys.stdout.write(json.dumps(claim(ledger, name, owner)) + "\n")


if __name__ == "__main__":
    main()
