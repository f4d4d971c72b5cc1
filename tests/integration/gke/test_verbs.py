"""`karrots create` and `destroy` on GKE: Terraform itself, with a provider that plays Google's recorded schema.

That provider makes nothing, so what GKE and its controllers would have made is put into the project by the test; no API
server ever answers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from karrots.errors import ExitCode
from karrots.fleet import record as records
from karrots.replay import mirror, program, schemas
from tests.support import flux_manifest, repositories, ssh_host
from tests.support.command_line import Outcome, karrots
from tests.support.gke_account.account import PROJECT, REGION
from tests.support.gke_account.planted import Planted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from karrots.fleet.record import Record
    from tests.support.gke_account.account import Account

GIT_ACCESS = "  access:\n    url: {url}\n    ssh: {{env: FLEET_KEY, known_hosts: '{known_hosts}'}}\n"
REMOTE = '  remote: "origin"\n'
NOBODY = "127.0.0.1:9"


@dataclass(frozen=True)
class Fleet:
    account: Account
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


@pytest.fixture
def fleet(account: Account, tmp_path: Path, with_replay: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    recorded = [each for each in schemas.shipped() if each.address.endswith("hashicorp/google")][-1:]
    played = mirror.lay_out(tmp_path / "played", program.ensure(), recorded, [">= 6.50, < 9.0"])
    key = ssh_host.private_key()
    for name, value in {**played, "GIT_ALLOW_PROTOCOL": "file:http:ssh", "FLEET_KEY": key}.items():
        monkeypatch.setenv(name, value)
    root = tmp_path / "fleet"
    repositories.repository(root, {"README.md": "Our fleet\n"})
    (tmp_path / "hosted").mkdir()
    with ssh_host.ssh_host(tmp_path / "hosted", key) as host:
        karrots("init", "--provider", "gke", "--set", f"project={PROJECT}", "--set", f"region={REGION}", cwd=root)
        settings = root / "karrots.yaml"
        access = GIT_ACCESS.format(url=host.url, known_hosts=host.known_hosts.strip())
        settings.write_text(settings.read_text().replace(REMOTE, REMOTE + access))
        (tmp_path / "gotk.yaml").write_text(flux_manifest.small())
        pin = ("flux", "pin", flux_manifest.VERSION, "--from", str(tmp_path / "gotk.yaml"))
        karrots(*pin, cwd=root / "clusters/qa")
        repositories.commit(root, {"README.md": "A fleet\n"})
        repositories.bare_remote(tmp_path / "hosted/shared.git", root)
        yield Fleet(account, root / "clusters/qa")


def test_a_dry_run_says_what_was_looked_at_and_what_it_costs(fleet: Fleet) -> None:
    told = fleet.karrots("create", "--dry-run", "-o", "json").document
    looked = {row["what"] for row in told["checks"] if row["ok"]}
    assert {"Google login", "project", "Google APIs", "Kubernetes version", "quota CPUS"} <= looked
    assert told["plan"]["add"] > 10
    assert told["costs"]["hourly"] > 0.1
    assert "2026-11" in told["costs"]["source"]


def test_what_preflight_finds_stops_it_before_anything_is_made(fleet: Fleet) -> None:
    fleet.account.apis.discard("dns")
    told = fleet.karrots("create", expect=ExitCode.PREFLIGHT_FAILED)
    assert f"gcloud services enable dns.googleapis.com --project {PROJECT}" in told.err
    fleet.karrots("show", "qa", expect=ExitCode.NOT_FOUND)


def test_from_create_to_the_receipt(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fleet.account.inventory()
    ours = fleet.create()
    mine = Planted(fleet.account, ours)
    mine.all()
    assert fleet.karrots("token", "qa").document["status"]["token"] in fleet.account.tokens
    mine.cluster(endpoint=NOBODY)

    told = fleet.karrots("destroy", "qa", "--yes", expect=ExitCode.REFUSED)
    assert "deletion_protection" in told.err
    assert f"cd {ours.directory} && karrots create qa --ttl 1d" in told.err
    assert fleet.record().phase == ours.phase, "nothing has begun"

    fleet.create("--ttl", "1d")
    mine.record = replace(ours, expires="2026-11-22T10:00:00Z")  # Terraform puts it on the cluster
    mine.cluster(endpoint=NOBODY)
    with monkeypatch.context() as patch:
        patch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
        fleet.karrots("destroy", "qa", "--yes", expect=ExitCode.LOGIN_NEEDED)
    assert fleet.record().phase != "destroying"

    receipt = fleet.karrots("destroy", "qa", "--yes", "-o", "json").document
    assert receipt["left"] == []
    assert receipt["looked_for"]["clusters"] == 1
    assert receipt["looked_for"]["forwarding rules"] == 3
    assert fleet.account.inventory() == before
    fleet.karrots("show", "qa", expect=ExitCode.NOT_FOUND)


def test_a_destroy_tells_what_it_may_not_take_away(fleet: Fleet) -> None:
    mine = Planted(fleet.account, fleet.create("--ttl", "1d"))
    mine.disk()
    kept = mine.make("zones/europe-west3-a/disks/pvc-old", labels={"goog-k8s-cluster-name": "qa"})
    told = fleet.karrots("destroy", "qa", "--yes", expect=ExitCode.LEFTOVERS)
    assert "pvc-old" in told.err
    assert "by hand" in told.err
    assert mine.left == {"disks"}
    assert list(fleet.account.compute) == [kept]
