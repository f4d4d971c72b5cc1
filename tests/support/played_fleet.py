"""A fleet in a cloud whose Terraform provider is played from its recorded schema: the verbs, with Terraform itself.

That provider makes nothing, so what the cloud would have made is put into the account by the test; no API server ever
answers.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots import places
from karrots.adapters.terraform_store import StateStore
from karrots.errors import ExitCode
from karrots.fleet import record as records
from karrots.replay import mirror, program, schemas
from tests.replay.versions import PROVIDERS
from tests.support import flux_manifest, repositories, ssh_host
from tests.support.command_line import Outcome, karrots

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pytest

    from karrots.fleet.record import Record

GIT_ACCESS = "  access:\n    url: {url}\n    ssh: {{env: FLEET_KEY, known_hosts: '{known_hosts}'}}\n"
REMOTE = '  remote: "origin"\n'


@dataclass(frozen=True)
class PlayedFleet:
    directory: Path

    def karrots(self, *words: str, expect: int | None = 0) -> Outcome:
        return karrots(*words, cwd=self.directory, expect=expect)

    def record(self) -> Record:
        shown: dict[str, Any] = self.karrots("show", "qa", "-o", "json").document["record"]
        return records.from_json(json.dumps(shown), "record.json")

    def create(self, *words: str) -> Record:
        """As far as Terraform goes: nobody answers at the address it tells."""
        told = self.karrots("create", *words, "--wait", "infra", "--timeout", "1", expect=ExitCode.TIMED_OUT)
        assert "the API server of 'qa' answers" in told.err
        return self.record()

    def forget(self, record: Record, kind: str) -> None:
        """As after a Terraform that was killed before it could save these."""
        store = StateStore(places.terraform_states() / record.id)
        held = store.current() or {}
        kept = [it for it in held["resources"] if it["type"] != kind]
        assert len(kept) < len(held["resources"])
        file = self.directory.parents[2] / "older.tfstate"
        file.write_text(json.dumps({**held, "serial": held["serial"] + 1, "resources": kept}))
        assert store.adopt(file)

    def known(self, record: Record, kind: str) -> list[str]:
        """Ids of that type in the state."""
        held = StateStore(places.terraform_states() / record.id).current() or {}
        return [
            it["attributes"]["id"] for each in held["resources"] if each["type"] == kind for it in each["instances"]
        ]


@contextmanager
def played_fleet(
    provider: str, settings: Mapping[str, str], versions: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PlayedFleet]:
    """`settings` are those of the provider's section; `versions` is the root's constraint, played by the newest."""
    recorded = [each for each in schemas.shipped() if each.name == PROVIDERS[provider]][-1:]
    played = mirror.lay_out(folder / "played", program.ensure(), recorded, [versions])
    key = ssh_host.private_key()
    for name, value in {**played, "GIT_ALLOW_PROTOCOL": "file:http:ssh", "FLEET_KEY": key}.items():
        monkeypatch.setenv(name, value)
    root = folder / "fleet"
    repositories.repository(root, {"README.md": "Our fleet\n"})
    (folder / "hosted").mkdir()
    with ssh_host.ssh_host(folder / "hosted", key) as host:
        sets = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        karrots("init", "--provider", provider, *sets, cwd=root)
        file = root / "karrots.yaml"
        access = GIT_ACCESS.format(url=host.url, known_hosts=host.known_hosts.strip())
        file.write_text(file.read_text().replace(REMOTE, REMOTE + access))
        (folder / "gotk.yaml").write_text(flux_manifest.small())
        pin = ("flux", "pin", flux_manifest.VERSION, "--from", str(folder / "gotk.yaml"))
        karrots(*pin, cwd=root / "clusters/qa")
        repositories.commit(root, {"README.md": "A fleet\n"})
        repositories.bare_remote(folder / "hosted/shared.git", root)
        yield PlayedFleet(root / "clusters/qa")
