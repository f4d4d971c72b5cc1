"""Tokens for an EKS cluster are believed as far as the real webhook would believe them."""

from __future__ import annotations

import base64
import datetime as dt
from typing import TYPE_CHECKING

import pytest
from botocore.credentials import Credentials
from botocore.hooks import HierarchicalEmitter
from botocore.model import ServiceId
from botocore.signers import RequestSigner

from tests.support.eks_account.authenticator import HEADER, PREFIX, Unbelievable, asked_for, check

if TYPE_CHECKING:
    from collections.abc import Callable

KEY, SECRET, REGION = "AKIAIOSFODNN7EXAMPLE", "example", "eu-central-1"
SECRETS = {KEY: SECRET}
# A signer holds it only weakly.
EVENTS = HierarchicalEmitter()


def link(cluster: str, *, action: str = "GetCallerIdentity", secret: str = SECRET) -> str:
    signer = RequestSigner(ServiceId("STS"), REGION, "sts", "v4", Credentials(KEY, secret), EVENTS)
    question = {
        "method": "GET",
        "url": f"https://sts.{REGION}.amazonaws.com/?Action={action}&Version=2011-06-15",
        "body": {},
        "headers": {HEADER: cluster},
        "context": {},
    }
    return str(signer.generate_presigned_url(question, "", 60, REGION))


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def test_a_token_for_this_cluster_is_believed() -> None:
    text = base64.urlsafe_b64encode(link("qa").encode()).decode().rstrip("=")
    check(asked_for(PREFIX + text), "qa", SECRETS, now())


@pytest.mark.parametrize(
    ("url", "cluster", "later"),
    [
        pytest.param(lambda: link("qa"), "other", 0, id="another cluster's"),
        pytest.param(lambda: link("qa", secret="stolen"), "qa", 0, id="signed with something else"),
        pytest.param(lambda: link("qa", action="ListRoles"), "qa", 0, id="another question"),
        pytest.param(lambda: link("qa"), "qa", 16, id="too old"),
        pytest.param(lambda: link("qa"), "qa", -20, id="from a clock that is wrong"),
        pytest.param(lambda: link("qa").replace(KEY, "AKIANOBODY"), "qa", 0, id="nobody's key"),
    ],
)
def test_others_are_not(url: Callable[[], str], cluster: str, later: int) -> None:
    with pytest.raises(Unbelievable):
        check(url(), cluster, SECRETS, now() + dt.timedelta(minutes=later))


@pytest.mark.parametrize("token", ["", "eyJhbGciOi.x.y", PREFIX + "a===", PREFIX + "a" * 5000, PREFIX + "\xff"])
def test_what_is_no_token(token: str) -> None:
    with pytest.raises((Unbelievable, ValueError)):
        asked_for(token)
