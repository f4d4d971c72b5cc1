"""Where a state is kept, by what karrots.yaml says when the cluster is drafted."""

from __future__ import annotations

from pathlib import Path

import pytest

from karrots.adapters import terraform_argv
from karrots.fleet import backends
from karrots.fleet.record import State, from_json, to_json
from karrots.spec.fleet import Aks, AzureState, Eks, GcsState, Gke, S3State
from tests.support.records import record

ID = "01m7abcdefghjkmnpqrstvwxyz"
EKS = Eks(account="123456789012", region="eu-central-1", state=S3State(bucket="shop"))
GKE = Gke(project="shop", region="europe-west3", state=GcsState(bucket="shop"))
AKS = Aks(
    subscription="sub", tenant="ten", region="westeurope",
    state=AzureState(resource_group="rg", storage_account="shopstates", container="states"),
)  # fmt: skip
STORES = "--account-name shopstates -c states"
SECTIONS = [EKS, GKE, AKS]


def test_s3() -> None:
    assert backends.chosen(EKS, ID) == State(
        backend="s3",
        key=f"karrots/{ID}.tfstate",
        settings={"bucket": "shop", "region": "eu-central-1", "use_lockfile": "true", "encrypt": "true"},
    )


def test_a_bucket_in_another_region() -> None:
    away = EKS.model_copy(update={"state": S3State(bucket="shop", region="eu-north-1")})
    assert backends.chosen(away, ID).settings["region"] == "eu-north-1"


def test_gcs() -> None:
    found = backends.chosen(GKE, ID)
    assert found == State(backend="gcs", key=f"karrots/{ID}", settings={"bucket": "shop"})
    assert backends.init_settings(found) == {"bucket": "shop", "prefix": f"karrots/{ID}"}
    assert backends.object_name(found) == f"karrots/{ID}/default.tfstate"


def test_azurerm() -> None:
    found = backends.chosen(AKS, ID)
    assert (found.backend, found.key) == ("azurerm", f"karrots/{ID}.tfstate")
    assert found.settings == {
        "resource_group_name": "rg", "storage_account_name": "shopstates", "container_name": "states",
        "subscription_id": "sub", "tenant_id": "ten", "use_azuread_auth": "true",
    }  # fmt: skip
    assert "tenant_id" not in backends.chosen(AKS.model_copy(update={"tenant": None}), ID).settings


@pytest.mark.parametrize("section", [None, *(each.model_copy(update={"state": None}) for each in SECTIONS)])
def test_without_a_place_karrots_keeps_it(section: Eks | Gke | Aks | None) -> None:
    found = backends.chosen(section, ID)
    assert found == State(backend="http", key=ID)
    assert backends.is_own(found)


def test_records_from_before_there_were_others() -> None:
    assert backends.of(record("qa", id=ID, state=None)) == State(backend="http", key=ID)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_record_brings_all_of_it_back(section: Eks | Gke | Aks) -> None:
    chosen = backends.chosen(section, ID)
    kept = from_json(to_json(record("qa", state=chosen)), "qa")
    assert kept.state == chosen


@pytest.mark.parametrize("section", SECTIONS)
def test_init_is_given_every_setting_and_nothing_else(section: Eks | Gke | Aks) -> None:
    settings = backends.init_settings(backends.chosen(section, ID))
    argv = terraform_argv.init(Path("terraform"), backend_config=settings)
    given = [word.removeprefix("-backend-config=") for word in argv if word.startswith("-backend-config=")]
    assert sorted(given) == sorted(f"{name}={value}" for name, value in settings.items())


@pytest.mark.parametrize(
    ("section", "place", "unlocking"),
    [
        (EKS, f"s3://shop/karrots/{ID}.tfstate", f"aws s3 rm s3://shop/karrots/{ID}.tfstate.tflock"),
        (
            GKE,
            f"gs://shop/karrots/{ID}/default.tfstate",
            f"gcloud storage rm gs://shop/karrots/{ID}/default.tflock",
        ),
        (
            AKS,
            f"https://shopstates.blob.core.windows.net/states/karrots/{ID}.tfstate",
            f"az storage blob lease break --auth-mode login {STORES} -b karrots/{ID}.tfstate",
        ),
    ],
)
def test_what_people_are_told(section: Eks | Gke | Aks, place: str, unlocking: str) -> None:
    chosen = backends.chosen(section, ID)
    assert (backends.place(chosen), backends.unlocking(chosen)) == (place, unlocking)


def test_the_record_decides_which_backend_a_root_has() -> None:
    assert 'backend "gcs" {}' in backends.override(backends.chosen(GKE, ID))
