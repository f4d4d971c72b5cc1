"""What can go wrong with AWS, as kinds with a documented exit status; one function tells them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.errors import Failed, KarrotsError, LoginNeeded, PreflightFailed, Refused

if TYPE_CHECKING:
    from typing import Any

EXTRA_HINT = "pip install 'karrots[aws]'"
LOGIN_HINT = "aws sso login   (or: export AWS_PROFILE=…, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"

EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired", "CredentialsExpired"}
UNKNOWN_LOGIN = {
    "AuthFailure", "InvalidAccessKeyId", "InvalidClientTokenId", "MissingAuthenticationToken", "SignatureDoesNotMatch",
    "UnrecognizedClientException", "IncompleteSignature", "InvalidSignatureException",
}  # fmt: skip
DENIED = {
    "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized", "AuthorizationError",
    "403", "Forbidden", "OptInRequired",
}  # fmt: skip
THROTTLED = {
    "Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException",
    "RequestThrottled", "RequestThrottledException", "BandwidthLimitExceeded", "LimitExceededException", "SlowDown",
    "PriorRequestNotComplete", "EC2ThrottledException", "429",
}  # fmt: skip


class AwsExtraMissing(PreflightFailed):
    def __init__(self) -> None:
        super().__init__("the AWS SDK is not installed", why="boto3 cannot be imported", hint=EXTRA_HINT)


class AwsLoginNeeded(LoginNeeded):
    """Nobody is logged in to AWS, or AWS does not know who."""


class AwsExpired(AwsLoginNeeded):
    pass


class AwsWrongAccount(LoginNeeded):
    def __init__(self, wanted: str, found: str, arn: str) -> None:
        super().__init__(
            f"the log-in at AWS is for account {found}, not for {wanted}",
            why=f"karrots.yaml or the cluster's record names {wanted}; you are {arn}",
            hint="export AWS_PROFILE=…   (a profile of that account)\nor correct providers.eks.account in karrots.yaml",
        )


class AwsRegionUnusable(PreflightFailed):
    """There is no such region, or it is not enabled for the account."""


class AwsThrottled(Failed):
    """AWS asked to slow down for longer than we wait."""


class AwsDenied(Refused):
    """The log-in may not do it; `action` is the right that is missing, as a policy names it."""

    def __init__(self, message: str, *, action: str, why: str) -> None:
        super().__init__(
            message, why=why, hint=f"have somebody allow {action} (docs/providers.md has the whole policy)"
        )
        self.action = action

    code = Failed.code


class AwsGarbled(Failed):
    """What answers is not AWS, or does not speak as it should."""


class AwsUnreachable(Failed):
    pass


class AwsRejected(Failed):
    """AWS said no for a reason of its own; `reason` is its code."""

    def __init__(self, message: str, *, reason: str, why: str, hint: str = "") -> None:
        super().__init__(message, why=why, hint=hint)
        self.reason = reason


# Where a policy names a service or an action otherwise than the SDK does.
PREFIXES = {"elb": "elasticloadbalancing", "elbv2": "elasticloadbalancing", "service-quotas": "servicequotas"}
ACTIONS = {
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}


def action_of(service: str, operation: str) -> str:
    """As a policy names it: ('elbv2', 'DescribeTags') is elasticloadbalancing:DescribeTags."""
    plain = f"{PREFIXES.get(service, service)}:{operation}"
    return ACTIONS.get(plain, plain)


def told_apart(error: Exception, service: str, operation: str) -> KarrotsError:
    """Our own kind of what the SDK raised."""
    from botocore import exceptions as raised

    what = f"AWS {service} {operation}"
    if isinstance(error, raised.ClientError):
        return _refusal(error.response, service, operation)
    if isinstance(error, (raised.NoCredentialsError, raised.PartialCredentialsError, raised.ProfileNotFound)):
        return AwsLoginNeeded("you are not logged in to AWS", why=str(error), hint=LOGIN_HINT)
    if isinstance(error, _sign_in_again()):
        return AwsExpired("the log-in at AWS has ended", why=str(error), hint=LOGIN_HINT)
    if isinstance(error, (raised.NoRegionError, raised.InvalidRegionError, raised.UnknownRegionError)):
        return AwsRegionUnusable("the AWS region cannot be used", why=str(error), hint="correct region in karrots.yaml")
    if isinstance(error, (raised.HTTPClientError, raised.ConnectionError, OSError)):
        return AwsUnreachable(
            f"{what} was not answered", why=str(error), hint="look at your network and at the region's name"
        )
    return AwsGarbled(f"{what} was answered with what is no answer", why=f"{type(error).__name__}: {error}"[:400])


def _sign_in_again() -> tuple[type[Exception], ...]:
    from botocore import exceptions as raised

    return (
        raised.CredentialRetrievalError, raised.SSOTokenLoadError, raised.UnauthorizedSSOTokenError,
        raised.TokenRetrievalError, raised.RefreshWithMFAUnsupportedError,
    )  # fmt: skip


def _refusal(response: Any, service: str, operation: str) -> KarrotsError:
    said = response.get("Error") or {}
    code, message = str(said.get("Code", "")), str(said.get("Message", ""))[:400]
    status = int((response.get("ResponseMetadata") or {}).get("HTTPStatusCode") or 0)
    what = f"AWS {service} {operation}"
    if code in EXPIRED:
        return AwsExpired("the log-in at AWS has ended", why=message, hint=LOGIN_HINT)
    if code in UNKNOWN_LOGIN:
        return AwsLoginNeeded("AWS does not know the log-in", why=message, hint=LOGIN_HINT)
    if code in THROTTLED or status == 429:
        return AwsThrottled(
            f"{what}: AWS asks to slow down", why=f"{code}: {message}", hint="run the same command again in a minute"
        )
    if code in DENIED:
        action = action_of(service, operation)
        return AwsDenied(f"the log-in at AWS may not {action}", action=action, why=message)
    if "<" in message or not code or (code.isdigit() and status != 404):
        return AwsGarbled(f"{what} was answered with what is no answer", why=f"status {status}: {message}")
    return AwsRejected(f"{what} was refused", reason=code, why=f"{code}: {message}")
