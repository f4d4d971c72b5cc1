"""An AWS account on loopback: moto, and EKS in front of it."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3

from tests.support.eks_account.eks_service import Eks, Reached
from tests.support.eks_account.front import Front

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.eks_account.eks_service import ControlPlanes

NUMBER = "123456789012"  # moto's own
REGION = "eu-central-1"
START_SECONDS = 60.0


class NoPlanes:
    """Clusters with nothing behind them, for what never talks to one."""

    def start(self, name: str) -> None:
        """Nothing to start."""

    def reached(self, name: str) -> Reached | None:
        return Reached(f"https://127.0.0.1:9/{name}", "")

    def scale(self, name: str, nodes: int) -> None:
        """Nothing to scale."""

    def stop(self, name: str) -> None:
        """Nothing to stop."""


@dataclass(frozen=True)
class Account:
    front: Front
    eks: Eks

    @property
    def environment(self) -> dict[str, str]:
        """For karrots, Terraform and whatever else speaks to AWS."""
        return {
            "AWS_ENDPOINT_URL": self.front.address,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "example",
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str) -> Any:
        return client(service, self.front.address)

    def empty(self) -> None:
        """As it was when it was opened."""
        self.eks.clusters.clear()
        asked = http.client.HTTPConnection(*self.front.moto, timeout=START_SECONDS)
        asked.request("POST", "/moto-api/reset")
        asked.getresponse().read()
        asked.close()


def client(service: str, address: str) -> Any:
    keys = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "example"}
    return boto3.client(service, endpoint_url=address, region_name=REGION, **keys)


@dataclass(frozen=True)
class Moto:
    """The account's EC2, asked the way EKS asks it: with rights of its own, noted nowhere."""

    port: int

    @property
    def _ec2(self) -> Any:
        return client("ec2", f"http://127.0.0.1:{self.port}")

    def network_of(self, subnets: list[str]) -> str:
        found = self._ec2.describe_subnets(SubnetIds=subnets)["Subnets"]
        return str(found[0]["VpcId"])

    def make_group(self, name: str, network: str) -> str:
        made = self._ec2.create_security_group(GroupName=name, Description="EKS created", VpcId=network)
        return str(made["GroupId"])

    def remove_group(self, group: str) -> None:
        self._ec2.delete_security_group(GroupId=group)


@contextmanager
def account(folder: Path, planes: ControlPlanes | None = None, *, hold: float = 0.0) -> Iterator[Account]:
    """`hold` is how many seconds a control plane stays CREATING."""
    with moto(folder) as port:
        eks = Eks(NUMBER, REGION, planes or NoPlanes(), Moto(port), hold=hold)
        with Front(eks, ("127.0.0.1", port)).serving() as front:
            yield Account(front, eks)


@contextmanager
def moto(folder: Path) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    settings = {**os.environ, "MOTO_IAM_LOAD_MANAGED_POLICIES": "true", "AWS_DEFAULT_REGION": REGION}
    with (folder / "moto.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT, env=settings)
    try:
        _wait(port, process)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            asked = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            asked.request("GET", "/moto-api/data.json")
            asked.getresponse().read()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"moto did not start: {process.poll()}")
