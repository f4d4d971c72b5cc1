"""The door to AWS against moto's server."""

from __future__ import annotations

import base64
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlparse

import pytest

from karrots import clock, effects, faults
from karrots.adapters import aws as door
from karrots.adapters import aws_account, aws_eks
from karrots.adapters.aws import Aws
from karrots.adapters.aws_errors import (
    AwsDenied,
    AwsExpired,
    AwsExtraMissing,
    AwsGarbled,
    AwsLoginNeeded,
    AwsThrottled,
    AwsUnreachable,
    AwsWrongAccount,
)
from karrots.errors import ExitCode, KarrotsError
from tests.support.aws import ACCOUNT, REGION, Asked, Cloud, Said, json_said, refused, refused_xml
from tests.support.aws_planted import IMAGE

if TYPE_CHECKING:
    from collections.abc import Callable


def test_it_says_who_is_logged_in(aws: Aws) -> None:
    assert aws_account.caller(aws, ACCOUNT).account == ACCOUNT


def test_another_account_is_told_with_both_numbers(aws: Aws) -> None:
    with pytest.raises(AwsWrongAccount, match="999999999999") as caught:
        aws_account.caller(aws, "999999999999")
    assert caught.value.code == ExitCode.LOGIN_NEEDED
    assert ACCOUNT in caught.value.message


def test_nobody_logged_in_is_told_so(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AwsLoginNeeded, match="not logged in") as caught:
        aws_account.caller(Aws(REGION))
    assert caught.value.code == ExitCode.LOGIN_NEEDED
    assert "aws sso login" in caught.value.hint
    with pytest.raises(AwsLoginNeeded):
        aws_account.lifetime(Aws(REGION))
    with pytest.raises(AwsLoginNeeded):
        aws_eks.token(Aws(REGION), "qa")


def test_a_profile_that_is_not_there_is_told(cloud: Cloud) -> None:
    with pytest.raises(AwsLoginNeeded) as caught:
        Aws(REGION, "nobody")
    assert "nobody" in caught.value.why


def test_the_extra_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(AwsExtraMissing) as caught:
        Aws(REGION)
    assert caught.value.hint == "pip install 'karrots[aws]'"
    assert caught.value.code == ExitCode.PREFLIGHT_FAILED


@pytest.mark.parametrize(
    ("code", "kind", "exit_code"),
    [
        ("ExpiredToken", AwsExpired, ExitCode.LOGIN_NEEDED),
        ("ExpiredTokenException", AwsExpired, ExitCode.LOGIN_NEEDED),
        ("InvalidClientTokenId", AwsLoginNeeded, ExitCode.LOGIN_NEEDED),
        ("SignatureDoesNotMatch", AwsLoginNeeded, ExitCode.LOGIN_NEEDED),
        ("AccessDenied", AwsDenied, ExitCode.FAILED),
    ],
)
def test_what_sts_says_becomes_a_kind(
    cloud: Cloud, aws: Aws, code: str, kind: type[KarrotsError], exit_code: ExitCode
) -> None:
    cloud.front.script = lambda _: refused_xml(code, "because", 403)
    with pytest.raises(kind) as caught:
        aws_account.caller(aws)
    assert caught.value.code == exit_code
    assert "because" in caught.value.why
    assert caught.value.hint


@pytest.mark.parametrize("code", ["AccessDeniedException", "ExpiredTokenException", "ThrottlingException"])
def test_eks_is_understood_too(cloud: Cloud, aws: Aws, code: str, pauses: list[float]) -> None:
    cloud.front.script = lambda _: refused(code, status=400)
    kinds = {
        "AccessDeniedException": AwsDenied,
        "ExpiredTokenException": AwsExpired,
        "ThrottlingException": AwsThrottled,
    }
    with pytest.raises(kinds[code]):
        aws_eks.cluster(aws, "qa")


@pytest.mark.parametrize(
    ("ask", "action"),
    [
        (lambda aws: aws_eks.cluster(aws, "qa"), "eks:DescribeCluster"),
        (
            lambda aws: list(aws.pages("elbv2", "describe_load_balancers", "x")),
            "elasticloadbalancing:DescribeLoadBalancers",
        ),
        (lambda aws: aws_account.limit(aws, aws_account.VPCS), "servicequotas:GetServiceQuota"),
    ],
)
def test_a_denial_names_the_right_that_is_missing(
    cloud: Cloud, aws: Aws, ask: Callable[[Aws], object], action: str
) -> None:
    def denied(asked: Asked) -> Said:
        return (
            refused_xml("AccessDenied", status=403) if "elastic" in asked.service else refused("AccessDeniedException")
        )

    cloud.front.script = denied
    with pytest.raises(AwsDenied) as caught:
        ask(aws)
    assert caught.value.action == action
    assert action in caught.value.hint


def throttling(answers: list[Said]) -> Callable[[Asked], Said | None]:
    return lambda _: answers.pop(0) if answers else None


def test_throttling_is_waited_for_as_long_as_the_server_asks(cloud: Cloud, aws: Aws, pauses: list[float]) -> None:
    busy = refused("TooManyRequestsException", status=429, Retry_After="7")
    cloud.front.script = throttling([busy, busy])
    assert aws_eks.cluster(aws, "qa") is None
    assert pauses == [7.0, 7.0]


def test_throttling_that_does_not_end_is_given_up(cloud: Cloud, aws: Aws, pauses: list[float]) -> None:
    cloud.front.script = lambda _: refused("TooManyRequestsException", status=429, Retry_After="2")
    with pytest.raises(AwsThrottled) as caught:
        aws_eks.cluster(aws, "qa")
    assert len(cloud.front.asked) == door.ATTEMPTS
    assert pauses == [2.0] * (door.ATTEMPTS - 1)
    assert caught.value.code == ExitCode.FAILED
    assert caught.value.hint


def test_a_pause_that_is_too_long_is_not_waited_for(cloud: Cloud, aws: Aws, pauses: list[float]) -> None:
    cloud.front.script = lambda _: refused("TooManyRequestsException", status=429, Retry_After="3600")
    with pytest.raises(AwsThrottled):
        aws_eks.cluster(aws, "qa")
    assert pauses == []
    assert len(cloud.front.asked) == 1


def test_throttling_without_a_word_for_how_long_has_an_end_too(cloud: Cloud, aws: Aws, pauses: list[float]) -> None:
    cloud.front.script = lambda _: refused("ThrottlingException")
    with pytest.raises(AwsThrottled):
        aws_eks.cluster(aws, "qa")
    assert 1 < len(cloud.front.asked) <= door.ATTEMPTS


@pytest.mark.parametrize(
    "said",
    [
        Said(200, b"<html>log in here</html>", "text/html"),
        Said(200, b"{", "application/json"),
        Said(200, b"[]", "application/json"),
        Said(200, b'{"cluster": 7}', "application/json"),
        Said(200, b'{"cluster": {"name": "qa"}}', "application/json"),
        Said(404, b"<html>no such page</html>", "text/html"),
        Said(418, b"teapot", "text/plain"),
    ],
)
def test_what_is_not_aws_is_told_apart(cloud: Cloud, aws: Aws, said: Said) -> None:
    cloud.front.script = lambda _: said
    with pytest.raises(AwsGarbled) as caught:
        aws_eks.cluster(aws, "qa")
    assert caught.value.code == ExitCode.FAILED


def test_a_list_that_has_no_end_is_given_up(cloud: Cloud, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MOST_PAGES", 3)
    cloud.front.script = lambda _: json_said({"logGroups": [], "nextToken": "again"})
    with pytest.raises(AwsGarbled, match="no end"):
        list(aws.pages("logs", "describe_log_groups", "logGroups"))


def test_nobody_there_is_unreachable(aws: Aws, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(AwsUnreachable):
        aws_account.caller(Aws(REGION))


@pytest.mark.parametrize("kind", ["error", "timeout", "garbage", "died"])
def test_fault_plans_reach_it(cloud: Cloud, aws: Aws, kind: str, pauses: list[float]) -> None:
    when = "during" if kind in {"garbage", "died"} else "before"
    effects.arm(faults.parsed(f"at=1 kind={kind} when={when} match='aws sts GetCallerIdentity' seed=3"))
    try:
        with pytest.raises((AwsUnreachable, AwsGarbled)):
            aws_account.caller(aws)
    finally:
        effects.arm(None)


def test_regions_tell_which_are_enabled(aws: Aws, cloud: Cloud) -> None:
    found = aws_account.regions(aws)
    assert found[REGION] is True
    assert found["ap-east-1"] is False
    assert {asked.region for asked in cloud.front.asked} == {"us-east-1"}


def test_zones_and_machines(aws: Aws) -> None:
    zones = aws_account.zones(aws)
    assert zones[:2] == ["eu-central-1a", "eu-central-1b"]
    assert set(zones) <= aws_account.offered(aws, ["m5.large"])["m5.large"]
    assert aws_account.offered(aws, ["x9.huge"]) == {"x9.huge": set()}
    assert aws_account.vcpus(aws, ["m5.large", "m5.xlarge"]) == {"m5.large": 2, "m5.xlarge": 4}


def test_a_quota_is_read_and_what_uses_it(aws: Aws, cloud: Cloud) -> None:
    cloud.front.quotas["L-F678F1CE"] = 7
    assert aws_account.limit(aws, aws_account.VPCS) == 7
    before = len(aws_account.used(aws, aws_account.VPCS))
    aws.call("ec2", "create_vpc", CidrBlock="10.1.0.0/16")
    assert len(aws_account.used(aws, aws_account.VPCS)) == before + 1


def test_a_quota_that_nobody_set_is_the_default(aws: Aws, cloud: Cloud) -> None:
    def answer(asked: Asked) -> Said | None:
        return refused("NoSuchResourceException") if asked.action == "GetServiceQuota" else None

    cloud.front.script = answer
    assert aws_account.limit(aws, aws_account.ADDRESSES) == 5


def test_machines_that_run_use_up_the_vcpus(aws: Aws) -> None:
    aws.call("ec2", "run_instances", ImageId=IMAGE, InstanceType="m5.large", MinCount=2, MaxCount=2)
    assert len(aws_account.used(aws, aws_account.VCPUS)) in {2, 4}


def temporary(monkeypatch: pytest.MonkeyPatch, **left: float) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "t")
    if left:
        ends = datetime.now(UTC) + timedelta(**left)
        monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", ends.strftime("%Y-%m-%dT%H:%M:%SZ"))


def test_how_long_a_log_in_lasts(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    lasting = aws_account.lifetime(Aws(REGION))
    assert (lasting.way, lasting.seconds, lasting.temporary) == ("env", None, False)
    temporary(monkeypatch, minutes=90)
    found = aws_account.lifetime(Aws(REGION))
    assert found.temporary
    assert not found.renewed
    assert found.seconds is not None
    assert 80 * 60 < found.seconds <= 90 * 60


def test_a_token_is_a_signed_link_that_only_one_cluster_takes(aws: Aws) -> None:
    made = aws_eks.token(aws, "qa")
    assert made.text.startswith("k8s-aws-v1.")
    assert not made.text.endswith("=")
    assert len(made.text) < 4096
    encoded = made.text.removeprefix("k8s-aws-v1.")
    link = urlparse(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode())
    asked = parse_qs(link.query)
    assert (link.scheme, link.hostname, link.path) == ("https", f"sts.{REGION}.amazonaws.com", "/")
    assert asked["Action"] == ["GetCallerIdentity"]
    assert asked["Version"] == ["2011-06-15"]
    assert asked["X-Amz-SignedHeaders"] == ["host;x-k8s-aws-id"]
    assert asked["X-Amz-Expires"] == ["60"]
    assert asked["X-Amz-Credential"][0].endswith(f"/{REGION}/sts/aws4_request")
    assert 0 < made.expires - clock.seconds() <= 14 * 60


def test_a_token_ends_no_later_than_the_log_in(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary(monkeypatch, minutes=5)
    assert aws_eks.token(Aws(REGION), "qa").expires - clock.seconds() <= 5 * 60


@pytest.mark.parametrize(
    ("region", "host"),
    [("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"), ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com")],
)
def test_a_token_is_for_the_partition_of_its_region(cloud: Cloud, region: str, host: str) -> None:
    assert Aws(region).host("sts") == host


def test_making_a_token_asks_nobody(aws: Aws, cloud: Cloud) -> None:
    aws_eks.token(aws, "qa")
    assert cloud.front.asked == []


def test_versions_on_offer(aws: Aws) -> None:
    found = {it.name: it.supported for it in aws_eks.versions(aws)}
    assert found == {"1.36": True, "1.35": True, "1.33": False}
