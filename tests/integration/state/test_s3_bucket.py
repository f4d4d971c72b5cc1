"""What is said of a bucket for states, and what is made of it, with boto3."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

import pytest

from karrots.adapters.aws_state import S3Bucket
from karrots.errors import ExitCode, Failed, LoginNeeded, ToolMissing
from tests.support.s3 import ACCOUNT, BUCKET, REGION, S3

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.adapters.state_bucket import Fact

ALL = ("bucket", "versioning", "encryption", "public access", "lock")


@pytest.fixture
def bucket(s3: S3) -> S3Bucket:
    """Fit for it; each test takes something away."""
    made = S3Bucket(BUCKET, REGION, ACCOUNT)
    for what in ("encryption", "public access"):
        made.mend(what)
    return made


def facts(bucket: S3Bucket, *, thorough: bool = True) -> Mapping[str, Fact]:
    return {fact.what: fact for fact in bucket.facts(thorough=thorough)}


def wrong(bucket: S3Bucket) -> list[str]:
    return [what for what, fact in facts(bucket).items() if not fact.ok]


def test_one_that_is_fit(bucket: S3Bucket, s3: S3) -> None:
    found = facts(bucket)
    assert tuple(found) == ALL
    assert wrong(bucket) == []
    assert [fact.found for fact in found.values()] == [
        f"s3://{BUCKET} in {REGION}", "versions enabled", "AES256", "blocked", "possible"
    ]  # fmt: skip
    assert [fact.command + fact.mending for fact in found.values()] == [""] * 5
    assert s3.client.list_object_versions(Bucket=BUCKET).get("Versions", []) == [], "the trial leaves nothing"
    assert tuple(facts(bucket, thorough=False)) == ALL[:-1]


def test_one_that_is_not_there_is_made(s3: S3) -> None:
    made = S3Bucket("new-states", REGION, ACCOUNT)
    (fact,) = made.facts(thorough=True)
    assert (fact.what, fact.ok, fact.found) == ("bucket", False, "s3://new-states does not exist")
    first, *others = map(shlex.split, fact.command.splitlines())
    assert first == [
        "aws", "s3api", "create-bucket", "--bucket", "new-states", "--region", REGION,
        "--create-bucket-configuration", f"LocationConstraint={REGION}",
    ]  # fmt: skip
    assert [words[2] for words in others] == [
        "put-bucket-versioning", "put-bucket-encryption", "put-public-access-block"
    ]  # fmt: skip
    made.mend("bucket")
    assert wrong(made) == []


def test_in_the_first_region_no_place_is_named(s3: S3) -> None:
    made = S3Bucket("first-states", "us-east-1", ACCOUNT)
    assert "LocationConstraint" not in made.facts(thorough=True)[0].command
    made.mend("bucket")
    assert wrong(made) == []


@pytest.mark.parametrize(
    ("what", "take_away"),
    [
        (
            "versioning",
            lambda c: c.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"}),
        ),
        ("encryption", lambda c: c.delete_bucket_encryption(Bucket=BUCKET)),
        ("public access", lambda c: c.delete_public_access_block(Bucket=BUCKET)),
        (
            "public access",
            lambda c: c.put_public_access_block(
                Bucket=BUCKET, PublicAccessBlockConfiguration={"BlockPublicAcls": True, "IgnorePublicAcls": True}
            ),
        ),
    ],
)
def test_what_it_lacks_is_named_and_mended(bucket: S3Bucket, s3: S3, what: str, take_away: Any) -> None:
    take_away(s3.client)
    assert wrong(bucket) == [what]
    fact = facts(bucket)[what]
    assert fact.mending
    assert shlex.split(fact.command)[:5] == ["aws", "s3api", shlex.split(fact.command)[2], "--bucket", BUCKET]
    bucket.mend(what)
    assert wrong(bucket) == []


def test_one_of_another_account(s3: S3) -> None:
    (fact,) = S3Bucket(BUCKET, REGION, "999999999999").facts(thorough=True)
    assert (fact.ok, fact.mending) == (False, "")
    assert fact.found == f"s3://{BUCKET} does not belong to account 999999999999"


def test_one_that_lets_nobody_look(s3: S3) -> None:
    s3.deny("HEAD", BUCKET)
    (fact,) = S3Bucket(BUCKET, REGION, ACCOUNT).facts(thorough=True)
    assert (fact.ok, fact.mending) == (False, "")
    assert "is not ours, or this login may not use it" in fact.found


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_login_that_cannot_lock(bucket: S3Bucket, s3: S3, method: str) -> None:
    s3.deny(method, "")
    fact = facts(bucket)["lock"]
    assert not fact.ok
    assert "AccessDenied" in fact.found
    assert fact.command == f"allow it to this login, for s3://{BUCKET}"


def test_a_store_that_lets_two_hold_a_lock(bucket: S3Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those that call themselves S3 and do not know If-None-Match."""
    ask = S3Bucket._ask

    def deaf(self: S3Bucket, call: str, **arguments: Any) -> dict[str, Any]:
        arguments.pop("IfNoneMatch", None)
        return ask(self, call, **arguments)

    monkeypatch.setattr(S3Bucket, "_ask", deaf)
    assert facts(bucket)["lock"].found == "a second writer is not held off"


def test_objects(bucket: S3Bucket, s3: S3) -> None:
    assert not bucket.holds("karrots/a.tfstate")
    s3.put("karrots/a.tfstate", b"{}")
    assert bucket.holds("karrots/a.tfstate")
    bucket.remove("karrots/a.tfstate")
    bucket.remove("karrots/a.tfstate")
    assert not bucket.holds("karrots/a.tfstate")
    versions = s3.client.list_object_versions(Bucket=BUCKET)["Versions"]
    assert [version["Key"] for version in versions] == ["karrots/a.tfstate"], "what it held can be had back"


def test_an_object_that_may_not_be_removed(bucket: S3Bucket, s3: S3) -> None:
    s3.deny("DELETE", ".tfstate")
    with pytest.raises(Failed, match="does not answer as it should") as caught:
        bucket.remove("karrots/a.tfstate")
    assert "AccessDenied" in caught.value.why


@pytest.mark.parametrize("lack", ["keys", "profile"])
def test_nobody_is_logged_in(s3: S3, monkeypatch: pytest.MonkeyPatch, lack: str) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(LoginNeeded) as caught:
        S3Bucket(BUCKET, REGION, ACCOUNT, "no-such-profile" if lack == "profile" else "").facts(thorough=False)
    assert caught.value.code == ExitCode.LOGIN_NEEDED


def test_nothing_answers(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("karrots.adapters.aws_state.TRIES", 1)
    with pytest.raises(Failed, match="AWS cannot be reached"):
        S3Bucket(BUCKET, REGION, ACCOUNT).facts(thorough=False)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ToolMissing) as caught:
        S3Bucket(BUCKET, REGION, ACCOUNT).facts(thorough=False)
    assert caught.value.hint == "pip install 'karrots[aws]'"
