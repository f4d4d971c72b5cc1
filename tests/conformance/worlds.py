"""A place for each provider in which its clusters can be looked for: the same questions are asked of all of them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from karrots import computer, places
from karrots.adapters.aws import Aws
from karrots.adapters.aws_things import ID
from karrots.providers import waiting
from karrots.spec.fleet import Eks
from tests.support import aws as aws_server
from tests.support import aws_planted
from tests.support.aks_account.world import open_world
from tests.support.aws_planted import Planted
from tests.support.gke_account import world as gke_world
from tests.support.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    import pytest

    from karrots.fleet.record import Record
    from karrots.spec.fleet import Cloud


class World(Protocol):
    """`settings` is the section of karrots.yaml that leads here, None where there is no log-in."""

    @property
    def settings(self) -> Cloud | None: ...

    def record(self, name: str = "qa") -> Record: ...

    def log_out(self) -> None: ...

    def plant(self, record: Record) -> Mapping[str, int]:
        """What the cluster leaves outside of itself, as its own controllers make it: how many of each kind of thing."""

    def plant_others(self, record: Record) -> None:
        """The same of a cluster of that name with another id, and of one whose name begins with that name."""

    def inventory(self) -> Mapping[str, int]:
        """All that is here, by kind."""

    def outputs(self, record: Record) -> Mapping[str, Any]:
        """Of Terraform, when it has made the cluster."""


@dataclass
class ThisComputer:
    """Folders of clusters of the engine, none of which runs."""

    settings: Cloud | None = None

    def record(self, name: str = "qa") -> Record:
        return record(name, host=computer.name(), host_id=computer.host_id())

    def log_out(self) -> None:
        raise AssertionError("there is nothing to log in to")

    def plant(self, record: Record) -> Mapping[str, int]:
        (places.engine_clusters() / record.id).mkdir(parents=True)
        return {"folder": 1}

    def plant_others(self, record: Record) -> None:
        self.plant(self.record(record.name))
        self.plant(self.record(f"{record.name}-two"))

    def inventory(self) -> Mapping[str, int]:
        return {"folder": len([it for it in places.engine_clusters().iterdir() if it.is_dir()])}

    def outputs(self, record: Record) -> Mapping[str, Any]:
        return {}


@contextmanager
def this_computer(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    places.engine_clusters().mkdir(parents=True)
    yield ThisComputer()


CA_DATA = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="


class AwsAccount:
    """moto's server, with what it does not know answered by a front."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings = Eks(account=aws_server.ACCOUNT, region=aws_server.REGION)
        self._monkeypatch = monkeypatch
        self._aws = Aws(aws_server.REGION)
        self._zone = aws_planted.hosted_zone(self._aws, "example.com")
        self._ranges = iter(range(20, 100))

    def record(self, name: str = "qa") -> Record:
        return record(name, provider="eks", region=aws_server.REGION, account=aws_server.ACCOUNT)

    def log_out(self) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            self._monkeypatch.delenv(name)

    def plant(self, record: Record) -> Mapping[str, int]:
        things = self._surroundings(record)
        things.all(self._zone)
        # moto shows a NAT gateway's interface as nobody's, where AWS says that it manages it.
        return {**dict.fromkeys(things.keys, 1), "subnet": 2, "DNS record": 4, "network interface": 2}

    def plant_others(self, record: Record) -> None:
        self._surroundings(self.record(f"{record.name}-two")).all(self._zone)
        other = self._surroundings(self.record(record.name))
        own = ("security_group", "instance", "interface", "volume", "snapshot", "launch_template", "oidc_provider")
        for kind in own:
            getattr(other, kind)()
        other.made_by_terraform()

    def _surroundings(self, record: Record) -> Planted:
        made = Planted(
            self._aws, record.name, record.id, f"10.{next(self._ranges)}.0.0/16", record.domain, {ID: record.id}
        )
        made.network()
        return made

    def inventory(self) -> Mapping[str, int]:
        asked = {
            "volume": ("ec2", "describe_volumes", "Volumes"),
            "snapshot": ("ec2", "describe_snapshots", "Snapshots"),
            "launch template": ("ec2", "describe_launch_templates", "LaunchTemplates"),
            "load balancer": ("elbv2", "describe_load_balancers", "LoadBalancers"),
            "target group": ("elbv2", "describe_target_groups", "TargetGroups"),
            "classic load balancer": ("elb", "describe_load_balancers", "LoadBalancerDescriptions"),
            "log group": ("logs", "describe_log_groups", "logGroups"),
            "OIDC provider": ("iam", "list_open_id_connect_providers", "OpenIDConnectProviderList"),
            "role": ("iam", "list_roles", "Roles"),
            "VPC": ("ec2", "describe_vpcs", "Vpcs"),
            "subnet": ("ec2", "describe_subnets", "Subnets"),
            "route table": ("ec2", "describe_route_tables", "RouteTables"),
            "internet gateway": ("ec2", "describe_internet_gateways", "InternetGateways"),
            "Elastic IP": ("ec2", "describe_addresses", "Addresses"),
        }
        found = {kind: len(self._aws.call(*call)[key]) for kind, (*call, key) in asked.items()}
        return {
            **found,
            "DNS record": self._records(),
            "instance": self._instances(),
            "security group": self._groups(),
            "network interface": self._interfaces(),
        }

    def _groups(self) -> int:
        """Without those that a network has from its beginning."""
        found = self._aws.call("ec2", "describe_security_groups")["SecurityGroups"]
        return sum(it["GroupName"] != "default" for it in found)

    def _interfaces(self) -> int:
        """Without those of instances and NAT gateways, which moto keeps when these are gone."""
        found = self._aws.call("ec2", "describe_network_interfaces")["NetworkInterfaces"]
        return sum("InstanceId" not in (it.get("Attachment") or {}) and bool(it.get("Description")) for it in found)

    def _records(self) -> int:
        return len(
            self._aws.call("route53", "list_resource_record_sets", HostedZoneId=self._zone)["ResourceRecordSets"]
        )

    def _instances(self) -> int:
        found = self._aws.call("ec2", "describe_instances")["Reservations"]
        return sum(it["State"]["Name"] == "running" for group in found for it in group["Instances"])

    def outputs(self, record: Record) -> Mapping[str, Any]:
        return {"endpoint": "https://0a1b.gr7.eu-central-1.eks.amazonaws.com", "ca_data": CA_DATA}


@contextmanager
def aws_account(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for cloud in aws_server.opened():
        cloud.reset()  # moto's accounts are the process's
        for name, value in aws_server.environment(cloud.address).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(waiting, "LOOK_SECONDS", 0)
        yield AwsAccount(monkeypatch)


WORLDS: Mapping[str, Callable[[pytest.MonkeyPatch], AbstractContextManager[World]]] = {
    "aks": open_world,
    "eks": aws_account,
    "gke": gke_world.open_world,
    "local": this_computer,
}
