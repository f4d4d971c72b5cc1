"""The way into a cluster in a cloud: a kubeconfig that names a command, and that command."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from karrots import clock
from karrots.adapters.kube import Access
from karrots.errors import ExitCode
from karrots.providers import PROVIDERS, eks
from tests.support.aks_account.account import AKS, claims_of
from tests.support.aks_account.world import open_world
from tests.support.aws import ACCOUNT, REGION, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import CommandLine, Fleet, Refusal
    from tests.support.aks_account.world import AzureWorld


@pytest.fixture
def on_eks(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """A cluster whose API server nobody asks; the log-in is there, and AWS is not."""
    monkeypatch.setitem(PROVIDERS, "eks", eks)
    for name, value in environment("http://127.0.0.1:9").items():
        monkeypatch.setenv(name, value)
    fleet.known("story", provider="eks", region=REGION, account=ACCOUNT, host="")
    return fleet


def test_a_token_as_kubectl_asks_for_it(on_eks: Fleet, karrots: CommandLine) -> None:
    told = json.loads(karrots("token", "story", cwd=on_eks.root).out)
    assert (told["apiVersion"], told["kind"]) == ("client.authentication.k8s.io/v1", "ExecCredential")
    assert told["status"]["token"].startswith("k8s-aws-v1.")
    ends = clock.moment(told["status"]["expirationTimestamp"]).timestamp()
    assert 0 < ends - clock.seconds() <= 14 * 60


def test_without_a_log_in_it_says_how_to_get_one(
    on_eks: Fleet, refused: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    told = refused("token", "story", code=ExitCode.LOGIN_NEEDED)
    assert "not logged in to AWS" in told.err
    assert "aws sso login" in told.err


def test_the_local_engine_has_none(fleet: Fleet, refused: Refusal) -> None:
    fleet.known("story")
    told = refused("token", "story", code=ExitCode.USAGE)
    assert "karrots kubeconfig story" in told.err


def test_the_kubeconfig_names_a_command_that_gives_the_token(
    on_eks: Fleet, karrots: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is run from another folder, as kubectl would."""
    monkeypatch.setattr(
        eks, "access", lambda record, _, settings: Access("https://x", "", tokens=eks.tokens(record, settings))
    )
    text = karrots("kubeconfig", "story", cwd=on_eks.root).out
    assert "k8s-aws-v1." not in text
    login = json.loads(text)["users"][0]["user"]["exec"]
    assert [login["command"], *login["args"]] == [
        sys.executable, "-m", "karrots", "-C", str(on_eks.root.resolve()), "token", "story",
    ]  # fmt: skip


@pytest.fixture
def on_aks(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureWorld]:
    with open_world(monkeypatch) as world:
        fleet.known("story", provider="aks", region=world.record().region, account=world.record().account, host="")
        yield world


def test_a_token_of_azure(fleet: Fleet, on_aks: AzureWorld, karrots: CommandLine) -> None:
    told = json.loads(karrots("token", "story", cwd=fleet.root).out)["status"]
    assert claims_of(told["token"])["aud"] == AKS
    assert 0 < clock.moment(told["expirationTimestamp"]).timestamp() - clock.seconds() <= 3600
    assert on_aks.account.asked == []


def test_without_a_log_in_at_azure_it_says_how_to_get_one(on_aks: AzureWorld, refused: Refusal) -> None:
    on_aks.log_out()
    told = refused("token", "story", code=ExitCode.LOGIN_NEEDED)
    assert "not logged in to Azure" in told.err
    assert "az login" in told.err


SDKS = "print([name for name in sys.modules if name in {'boto3', 'botocore', 'moto', 'azure', 'msal'}])"


@pytest.mark.parametrize(
    "does",
    ["from karrots import app; app.run(['--version'])", "import karrots.providers.eks", "import karrots.providers.aks"],
    ids=["version", "eks", "aks"],
)
def test_no_sdk_is_imported_before_it_is_used(does: str) -> None:
    script = f"import sys; {does}; {SDKS}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
