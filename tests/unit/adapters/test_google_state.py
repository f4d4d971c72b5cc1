"""A Cloud Storage bucket for states, asked through its JSON interface on loopback."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from karrots.adapters.google_state import GcsBucket
from karrots.errors import Failed, PreflightFailed
from tests.support.gcs import Bucket, Gcs, served

if TYPE_CHECKING:
    from collections.abc import Iterator

ALL = ["bucket", "versioning", "public access", "encryption", "lock"]
CLOSED = {"publicAccessPrevention": "enforced", "uniformBucketLevelAccess": {"enabled": True}}


CLOSING = "--public-access-prevention --uniform-bucket-level-access"


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gcs]:
    with served() as running:
        settings = {"name": "states", "location": "EUROPE-WEST3", "versioning": {"enabled": True}}
        running.buckets["states"] = Bucket({**settings, "iamConfiguration": CLOSED})
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def bucket() -> GcsBucket:
    return GcsBucket("states", "shop", "europe-west3")


def wrong(bucket: GcsBucket) -> list[str]:
    return [fact.what for fact in bucket.facts(thorough=True) if not fact.ok]


def test_one_that_is_fit(gcs: Gcs, bucket: GcsBucket) -> None:
    found = bucket.facts(thorough=True)
    assert [fact.what for fact in found] == ALL
    assert wrong(bucket) == []
    assert found[0].found == "gs://states in europe-west3"
    assert gcs.buckets["states"].objects == {}, "the trial leaves nothing"
    assert [fact.what for fact in bucket.facts(thorough=False)] == ALL[:-1]


def test_one_that_is_not_there_is_made(gcs: Gcs) -> None:
    made = GcsBucket("new", "shop", "europe-west3")
    (fact,) = made.facts(thorough=True)
    assert (fact.ok, fact.found) == (False, "gs://new does not exist")
    assert fact.command.splitlines() == [
        f"gcloud storage buckets create gs://new --project shop --location europe-west3 {CLOSING}",
        "gcloud storage buckets update gs://new --versioning",
    ]
    made.mend("bucket")
    assert wrong(made) == []


@pytest.mark.parametrize(
    ("what", "settings"),
    [
        ("versioning", {"versioning": {"enabled": False}}),
        ("versioning", {"versioning": None}),
        ("public access", {"iamConfiguration": {**CLOSED, "publicAccessPrevention": "inherited"}}),
        ("public access", {"iamConfiguration": {**CLOSED, "uniformBucketLevelAccess": {"enabled": False}}}),
    ],
)
def test_what_it_lacks_is_named_and_mended(gcs: Gcs, bucket: GcsBucket, what: str, settings: dict[str, Any]) -> None:
    gcs.buckets["states"].settings.update(settings)
    assert wrong(bucket) == [what]
    (fact,) = [fact for fact in bucket.facts(thorough=False) if not fact.ok]
    assert fact.command.startswith("gcloud storage buckets update gs://states --")
    bucket.mend(what)
    assert wrong(bucket) == []


def test_one_that_is_not_ours(gcs: Gcs, bucket: GcsBucket) -> None:
    gcs.forbidden.add("states")
    (fact,) = bucket.facts(thorough=True)
    assert (fact.ok, fact.mending) == (False, "")
    assert "is not ours" in fact.found


def test_a_store_that_lets_two_hold_a_lock(gcs: Gcs, bucket: GcsBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.gcs._Handler._matches", lambda *_: None)
    assert wrong(bucket) == ["lock"]


def test_objects(gcs: Gcs, bucket: GcsBucket) -> None:
    assert not bucket.holds("karrots/x/default.tfstate")
    gcs.put("states", "karrots/x/default.tfstate", b"{}")
    assert bucket.holds("karrots/x/default.tfstate")
    bucket.remove("karrots/x/default.tfstate")
    bucket.remove("karrots/x/default.tfstate")
    assert gcs.buckets["states"].objects == {}
    gcs.forbidden.add("states")
    for ask in (bucket.holds, bucket.remove):
        with pytest.raises(Failed, match="does not answer as it should"):
            ask("karrots/x/default.tfstate")


def test_nothing_answers(bucket: GcsBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    with pytest.raises(Failed, match="google cannot be reached"):
        bucket.facts(thorough=False)


def test_a_token_goes_over_https_only(bucket: GcsBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "storage.example.com")
    with pytest.raises(Failed, match="by https only"):
        bucket.facts(thorough=False)


def test_without_the_extra(bucket: GcsBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.auth", None)
    with pytest.raises(PreflightFailed) as caught:
        bucket.facts(thorough=False)
    assert caught.value.hint == "pip install 'karrots[gcp]'"
