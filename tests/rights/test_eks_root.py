"""Which rights AWS's own Terraform provider misses when they are taken away: those nobody misses are not needed.

All of them are taken away at first. Each error names the rights that are missing; they are given, and it begins again,
in an empty account as long as nothing is whole: what was made and could not be looked at is in no state. It takes some
minutes, so it is `make rights` and no part of `make test`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from karrots.errors import ToolFailed
from tests.clouds.test_eks_root import aws, open_run, retag, rewrite, rights, settings
from tests.support.eks_account import inventories
from tests.support.variants import EKS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.eks_account.account import Account

__all__ = ["aws", "settings"]

MISSING = re.compile(r"not authorized to perform: ([a-z0-9]+:[A-Za-z]+)")
MOST = 100
# The provider asks for a network's default ACL, and goes on without an answer.
PASSED_OVER = {"ec2:DescribeNetworkAcls"}


def test_each_right_is_missed(aws: Account, settings: Path, tmp_path: Path) -> None:
    empty = inventories.of(aws)
    run = open_run(tmp_path, EKS["eks-main"], aws, settings)
    aws.front.calls.denied = set(rights())
    given_as_missed(aws, run.apply, lambda: begin_anew(aws, tmp_path))
    rewrite(tmp_path, lambda content: content["nodes"]["default"].update(count=3))
    given_as_missed(aws, run.apply)
    retag(tmp_path, {"karrots.dev/expires": "2026-12-24T10:00:00Z"})
    given_as_missed(aws, run.apply)
    given_as_missed(aws, lambda: run.apply(destroy=True))
    unmissed, aws.front.calls.denied = aws.front.calls.denied, set()
    assert inventories.of(aws) == empty
    assert unmissed == PASSED_OVER


def begin_anew(aws: Account, folder: Path) -> None:
    for file in folder.glob("terraform.tfstate*"):
        file.unlink()
    aws.empty()


def given_as_missed(aws: Account, act: Callable[[], object], between: Callable[[], object] = lambda: None) -> None:
    for _ in range(MOST):
        try:
            act()
        except ToolFailed as error:
            said = " ".join(f"{it.summary} {it.detail}" for it in error.diagnostics)
            missed = set(MISSING.findall(said)) & aws.front.calls.denied
            if not missed:
                raise
            aws.front.calls.denied -= missed
            between()
        else:
            return
    raise AssertionError("it does not come to an end")
