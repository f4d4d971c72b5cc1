"""The words of three clouds' providers and backends, as they reach us through Terraform."""

from __future__ import annotations

import pytest

from karrots.adapters import terraform_refusal as refusal
from karrots.adapters.process import Completed
from karrots.errors import Diagnostic, ExitCode, LoginNeeded, ToolFailed

AWS = (
    "waiting for EKS Cluster (qa) create: operation error EKS: DescribeCluster, https response error StatusCode: 403, "
    "RequestID: 0, api error ExpiredTokenException: The security token included in the request is expired"
)
GOOGLE = "googleapi: Error 401: Request had invalid authentication credentials., authError"
AZURE = "unexpected status 401 (401 Unauthorized) with error: ExpiredAuthenticationToken: The access token is expired."


@pytest.mark.parametrize(
    ("said", "command"),
    [
        (AWS, "aws sso login"),
        ("api error RequestExpired: Request has expired.", "aws sso login"),
        ("No valid credential sources found", "aws sso login"),
        (GOOGLE, "gcloud auth application-default login"),
        ('oauth2: "invalid_grant" "Token has been expired or revoked."', "gcloud auth application-default login"),
        (AZURE, "az login"),
        ("building account: unable to build authorizer for Resource Manager API", "az login"),
        ("AADSTS700082: The refresh token has expired due to inactivity.", "az login"),
    ],
)
def test_each_cloud_has_its_own_log_in(said: str, command: str) -> None:
    assert refusal.hint(said).startswith(command)
    assert issubclass(refusal.kind(said), LoginNeeded)
    assert refusal.kind(said).code == ExitCode.LOGIN_NEEDED


@pytest.mark.parametrize(
    "said",
    [
        "api error Throttling: Rate exceeded",
        "api error RequestLimitExceeded: Request limit exceeded.",
        "googleapi: Error 429: Quota exceeded for quota metric, rateLimitExceeded",
        "unexpected status 429 (429 Too Many Requests) with error: TooManyRequests: slow down",
    ],
)
def test_who_is_asked_too_often_is_waited_for(said: str) -> None:
    assert refusal.hint(said) == refusal.WAIT
    assert refusal.kind(said) is ToolFailed


@pytest.mark.parametrize(
    "said",
    [
        "api error ResourceInUseException: Cluster already exists with name: qa",
        "api error LimitExceededException: You have reached the limit of clusters",
        "googleapi: Error 403: Insufficient regional quota to satisfy request",
        "",
    ],
)
def test_what_is_neither_is_left_alone(said: str) -> None:
    assert refusal.hint(said) == ""
    assert refusal.kind(said) is ToolFailed


def test_what_explains_the_others_comes_first() -> None:
    echo, cause = Diagnostic("reading VPC", "empty result"), Diagnostic("reading EKS Cluster", AWS)
    assert refusal.cause_first([echo, cause]) == [cause, echo]


def test_a_verb_that_only_says_it_in_its_own_words() -> None:
    error = refusal.failed(Completed(("terraform", "state", "pull"), 1, b"", AWS.encode()))
    assert isinstance(error, LoginNeeded)
    assert error.status == 1
    assert "ExpiredTokenException" in error.why
