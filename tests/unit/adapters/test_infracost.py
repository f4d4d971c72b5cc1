"""What is asked of Infracost, and what its answers are taken for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from karrots.adapters import infracost
from karrots.adapters.infracost import NoPrice, Priced
from karrots.errors import TimedOut
from tests.support.infracost import answer, install, plan_of, resource

NODES = resource('aws_eks_node_group.fixed["default"]', "0.192")
ANSWER = answer(
    resource("aws_eks_cluster.cluster", "0.1", resourceType="aws_eks_cluster"),
    NODES,
    resource('module.more.aws_eks_node_group.fixed["a.b"]', "0.05"),
    resource("aws_cloudwatch_log_group.cluster", None),
    unknown=("aws_eks_addon",),
)
PLAN = {"format_version": "1.2", "planned_values": {}}


def test_it_is_asked_once_and_the_plan_is_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = install(tmp_path / "it", monkeypatch, json.dumps(ANSWER))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    folder = tmp_path / "run"
    folder.mkdir()
    prices = {"aws_eks_cluster": 0.1, "aws_eks_node_group": 0.192 + 0.05}
    wanted = Priced(prices, "USD", by_use=("aws_cloudwatch_log_group",), unknown=("aws_eks_addon",))
    assert infracost.price(PLAN, folder) == wanted
    argv = (heard / "argv").read_text().splitlines()
    assert argv == ["breakdown", "--path", str(folder / infracost.FILE), "--format", "json"]
    assert plan_of(heard) == PLAN
    assert (heard / "mode").read_text().startswith("-rw-------")
    environment = (heard / "env").read_text()
    assert "INFRACOST_API_KEY=ico-example" in environment
    assert "hush" not in environment, "no cloud's log-in"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ("Error: nothing to see", "another form"),
        ("[]", "another form"),
        (json.dumps(ANSWER | {"projects": [{}]}), "another form"),
        (json.dumps(answer(resource("aws_eks_cluster.x", "much"))), "another form"),
        (json.dumps(answer(resource("aws_eks_cluster.x", "Infinity"))), "another form"),
        (json.dumps(answer(resource("aws_cloudwatch_log_group.x", None))), "none for anything"),
        (json.dumps(answer(NODES, errors=[{"code": 100, "message": "no such plan"}])), "no such plan"),
    ],
    ids=["no JSON", "no document", "no breakdown", "no number", "no amount", "no price", "an error of a project"],
)
def test_what_is_no_price_is_told(says: str, why: str) -> None:
    with pytest.raises(NoPrice) as told:
        infracost.read(says.encode())
    assert why in told.value.why
    assert told.value.hint


def test_what_it_says_when_it_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "it", monkeypatch, "", ends='echo "Error: Invalid API\nKey" >&2; exit 1')
    with pytest.raises(NoPrice) as told:
        infracost.price(PLAN, tmp_path)
    assert "Error: Invalid API" in told.value.why
    assert not (tmp_path / infracost.FILE).exists()


def test_one_that_does_not_answer_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "it", monkeypatch, "", ends="exec sleep 600")
    monkeypatch.setattr(infracost, "SECONDS", 0.1)
    with pytest.raises(TimedOut):
        infracost.price(PLAN, tmp_path)
    assert not (tmp_path / infracost.FILE).exists()


def test_only_one_that_is_there_and_logged_in_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(infracost.KEY, "ico-example")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not infracost.ready()
    install(tmp_path / "it", monkeypatch, "")
    assert infracost.ready()
    monkeypatch.delenv(infracost.KEY)
    assert not infracost.ready()
    file = Path.home() / infracost.LOGGED_IN
    file.parent.mkdir(parents=True)
    file.write_text("version: '0.1'\n")
    assert infracost.ready()
