"""The S3 bucket that Terraform states are kept in. boto3 is imported where it is used."""

from __future__ import annotations

import json
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from karrots.adapters.process import shell_line
from karrots.adapters.state_bucket import Fact
from karrots.effects import effect
from karrots.errors import Failed, LoginNeeded, ToolMissing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TRIES = 4
SECONDS = 10
FIRST_REGION = "us-east-1"  # the one that is not named when a bucket is made
CLOSED = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
ENCRYPTION = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
PROBE = "karrots/lock-probe-"
LOGGED_OUT = frozenset({"ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthFailure"})
UNSET = frozenset({"ServerSideEncryptionConfigurationNotFoundError", "NoSuchPublicAccessBlockConfiguration"})


class _Said(Exception):
    """S3 said no."""

    def __init__(self, code: str, status: int, message: str, region: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.status, self.region = code, status, region


@dataclass(frozen=True)
class S3Bucket:
    """`account` is the one that must own it, '' when that is not known; `region` where karrots.yaml says it is."""

    name: str
    region: str
    account: str = ""
    profile: str = ""

    @property
    def place(self) -> str:
        return f"s3://{self.name}"

    def facts(self, *, thorough: bool) -> tuple[Fact, ...]:
        there = self._there()
        if not there.ok:
            return (there,)
        found = [there, self._versioning(), self._encryption(), self._closed()]
        return tuple([*found, self._lock()] if thorough else found)

    def mend(self, what: str) -> None:
        for each in self._menders() if what == "bucket" else (what,):
            self._menders()[each]()

    def holds(self, key: str) -> bool:
        try:
            self._ask("head_object", Key=key)
        except _Said as said:
            if said.status == 404:
                return False
            raise self._failed(said) from said
        return True

    def remove(self, key: str) -> None:
        self._do("delete_object", Key=key)

    # Looking

    def _there(self) -> Fact:
        try:
            self._ask("head_bucket", **self._owner())
        except _Said as said:
            return self._not_there(said)
        return Fact("bucket", ok=True, found=f"{self.place} in {self.region}")

    def _not_there(self, said: _Said) -> Fact:
        if said.status == 404:
            making = "it is made, with versions, encrypted and closed to the public"
            return Fact(
                "bucket", ok=False, found=f"{self.place} does not exist", command=self._making(), mending=making
            )
        if said.region and said.region != self.region:
            found = f"{self.place} is in {said.region}, karrots.yaml says {self.region}"
            return Fact("bucket", ok=False, found=found, command="set the region of the state in karrots.yaml")
        if said.status != 403:
            raise self._failed(said) from said
        return Fact("bucket", ok=False, found=self._forbidden(), command="choose another bucket in karrots.yaml")

    def _forbidden(self) -> str:
        """One that lets us in when nobody asks for its owner belongs to somebody else."""
        try:
            self._ask("head_bucket")
        except _Said:
            return f"{self.place} is not ours, or this login may not use it"
        return f"{self.place} does not belong to account {self.account}"

    def _versioning(self) -> Fact:
        status = self._answer("get_bucket_versioning").get("Status", "never on")
        mending = "" if status == "Enabled" else "versions are kept from now on"
        return self._fact("versioning", f"versions {status.lower()}", ok=status == "Enabled", mending=mending)

    def _encryption(self) -> Fact:
        rules = self._answer("get_bucket_encryption").get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
        kinds = [rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm", "") for rule in rules]
        found = ", ".join(filter(None, kinds))
        return self._fact("encryption", found or "not encrypted", ok=bool(found), mending="new objects are encrypted")

    def _closed(self) -> Fact:
        block = self._answer("get_public_access_block").get("PublicAccessBlockConfiguration", {})
        is_open = [name for name in CLOSED if not block.get(name)]
        found = f"not set: {', '.join(is_open)}" if is_open else "blocked"
        return self._fact("public access", found, ok=not is_open, mending="public access is blocked")

    def _lock(self) -> Fact:
        """As Terraform does it: an object may be made once. Tried with one that is deleted again."""
        key = PROBE + secrets.token_hex(8)
        try:
            made = self._ask("put_object", Key=key, Body=b"", IfNoneMatch="*", changes=True)
        except _Said as said:
            return self._fact("lock", f"no object can be made: {said}", ok=False)
        try:
            self._ask("put_object", Key=key, Body=b"", IfNoneMatch="*", changes=True)
            found, ok = "a second writer is not held off", False
        except _Said as said:
            found, ok = ("possible", True) if said.status == 412 else (str(said), False)
        try:
            version = {"VersionId": made["VersionId"]} if made.get("VersionId") else {}
            self._ask("delete_object", Key=key, **version, changes=True)
        except _Said as said:
            found, ok = f"{key} cannot be deleted: {said}", False
        return self._fact("lock", found, ok=ok)

    def _fact(self, what: str, found: str, *, ok: bool, mending: str = "") -> Fact:
        if ok:
            return Fact(what, ok=True, found=found)
        command = self._command(what) if what in self._menders() else f"allow it to this login, for {self.place}"
        return Fact(what, ok=False, found=found, command=command, mending=mending)

    # Mending

    def _menders(self) -> dict[str, Any]:
        return {
            "bucket": self._make,
            "versioning": lambda: self._do("put_bucket_versioning", VersioningConfiguration={"Status": "Enabled"}),
            "encryption": lambda: self._do("put_bucket_encryption", ServerSideEncryptionConfiguration=ENCRYPTION),
            "public access": lambda: self._do(
                "put_public_access_block", PublicAccessBlockConfiguration=dict.fromkeys(CLOSED, True)
            ),
        }

    def _make(self) -> None:
        here = {"CreateBucketConfiguration": {"LocationConstraint": self.region}}
        self._do("create_bucket", **({} if self.region == FIRST_REGION else here))

    def _making(self) -> str:
        return "\n".join(self._command(what) for what in self._menders())

    def _command(self, what: str) -> str:
        """For the aws CLI."""
        here = ["--create-bucket-configuration", f"LocationConstraint={self.region}"]
        words = {
            "bucket": ["create-bucket", *([] if self.region == FIRST_REGION else here)],
            "versioning": ["put-bucket-versioning", "--versioning-configuration", "Status=Enabled"],
            "encryption": [
                "put-bucket-encryption", "--server-side-encryption-configuration", json.dumps(ENCRYPTION),
            ],
            "public access": [
                "put-public-access-block", "--public-access-block-configuration",
                ",".join(f"{name}=true" for name in CLOSED),
            ],
        }  # fmt: skip
        verb, *more = words[what]
        profile = ["--profile", self.profile] if self.profile else []
        return shell_line(["aws", "s3api", verb, "--bucket", self.name, "--region", self.region, *more, *profile])

    # Asking

    def _owner(self) -> dict[str, Any]:
        return {"ExpectedBucketOwner": self.account} if self.account else {}

    def _answer(self, call: str) -> Mapping[str, Any]:
        """Empty where nothing was ever set."""
        try:
            return self._ask(call)
        except _Said as said:
            if said.code in UNSET:
                return {}
            raise self._failed(said) from said

    def _do(self, call: str, **arguments: Any) -> None:
        try:
            self._ask(call, changes=True, **arguments)
        except _Said as said:
            raise self._failed(said) from said

    def _ask(self, call: str, *, changes: bool = False, **arguments: Any) -> dict[str, Any]:
        name = "".join(word.capitalize() for word in call.split("_"))
        with effect("aws", f"s3 {name}", whole=changes), _plain_errors():
            answer: dict[str, Any] = getattr(self._client, call)(Bucket=self.name, **arguments)
            return answer

    def _failed(self, said: _Said) -> Failed:
        return Failed(f"the bucket {self.place} does not answer as it should", why=str(said), hint="karrots doctor")

    @cached_property
    def _client(self) -> Any:
        try:
            import boto3
            from botocore.config import Config
        except ModuleNotFoundError as error:
            raise ToolMissing(
                "boto3 is not installed", why="states are kept in S3", hint="pip install 'karrots[aws]'"
            ) from error
        settings = Config(retries={"mode": "standard", "total_max_attempts": TRIES}, connect_timeout=SECONDS)
        with _plain_errors():
            session = boto3.Session(profile_name=self.profile or None, region_name=self.region)
            return session.client("s3", config=settings)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """What boto3 raises, in our words. Raises _Said for an answer of S3's."""
    from botocore import exceptions

    login = (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.ProfileNotFound)
    expired = (exceptions.TokenRetrievalError, exceptions.SSOError, exceptions.CredentialRetrievalError)
    try:
        yield
    except exceptions.ClientError as error:
        raise _read(error) from error
    except (*login, *expired) as error:
        raise LoginNeeded(
            "AWS does not know who is asking", why=str(error), hint="aws sso login, or: aws configure"
        ) from error
    except exceptions.BotoCoreError as error:
        raise Failed("AWS cannot be reached", why=str(error), hint="karrots doctor") from error


def _read(error: Any) -> Exception:
    said, answer = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, message = str(said.get("Code", "")), str(said.get("Message", ""))
    if code in LOGGED_OUT:
        return LoginNeeded(
            "AWS does not take this login", why=f"{code}: {message}", hint="aws sso login, or: aws configure"
        )
    headers = answer.get("HTTPHeaders", {})
    return _Said(code, int(answer.get("HTTPStatusCode", 0)), message, headers.get("x-amz-bucket-region", ""))
