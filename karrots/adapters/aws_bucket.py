"""The S3 bucket that Terraform's states are kept in: is it there, ours, versioned, encrypted, private."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots.adapters.aws_errors import AwsDenied, AwsRejected

if TYPE_CHECKING:
    from karrots.adapters.aws import Answer, Aws

GONE = ("404", "NoSuchBucket", "NotFound")
MOVED = ("301", "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "400")
UNSET = ("ServerSideEncryptionConfigurationNotFoundError", "NoSuchPublicAccessBlockConfiguration")


@dataclass(frozen=True)
class Bucket:
    """`ours`: it is of the account; where it is not, nothing more is known of it.

    A lock is a file beside the state (`use_lockfile`), written on the condition that there is none: every bucket can.
    """

    name: str
    there: bool
    ours: bool = False
    region: str = ""
    versioned: bool = False
    encrypted: bool = False
    private: bool = False


def bucket(aws: Aws, name: str, account: str, region: str = "") -> Bucket:
    """Raises the kinds of aws_errors for anything but 'not there' and 'not ours'."""
    where = {"region": region or aws.region}
    try:
        found = aws.call("s3", "head_bucket", **where, Bucket=name, ExpectedBucketOwner=account)
    except AwsDenied:
        return Bucket(name, there=True)
    except AwsRejected as error:
        if error.reason in GONE:
            return Bucket(name, there=False)
        if error.reason in MOVED:
            return Bucket(name, there=True, ours=True, region="another")
        raise
    owned = {**where, "Bucket": name, "ExpectedBucketOwner": account}
    return Bucket(
        name,
        there=True,
        ours=True,
        region=str(found.get("BucketRegion") or where["region"]),
        versioned=aws.call("s3", "get_bucket_versioning", **owned).get("Status") == "Enabled",
        encrypted=bool(_setting(aws, "get_bucket_encryption", "ServerSideEncryptionConfiguration", owned)),
        private=_is_private(_setting(aws, "get_public_access_block", "PublicAccessBlockConfiguration", owned)),
    )


def _setting(aws: Aws, operation: str, key: str, owned: dict[str, str]) -> Answer:
    """Empty where the bucket has none."""
    try:
        found = aws.call("s3", operation, **owned).get(key)
    except AwsRejected as error:
        if error.reason not in UNSET:
            raise
        return {}
    return found if isinstance(found, dict) else {}


def _is_private(blocked: Answer) -> bool:
    return bool(blocked) and all(blocked.values())
