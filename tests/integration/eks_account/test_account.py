"""The account on loopback that everything about EKS is tried in says what the real one would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.support.eks_account.account import NUMBER, Account, account
from tests.support.eks_account.eks_service import ADMIN_POLICY

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLE = f"arn:aws:iam::{NUMBER}:role/cluster"
ADA = f"arn:aws:iam::{NUMBER}:user/ada"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with account(tmp_path_factory.mktemp("aws")) as made:
        yield made


@pytest.fixture(scope="module")
def subnets(aws: Account) -> list[str]:
    ec2 = aws.client("ec2")
    network = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ranges = ("10.0.0.0/24", "10.0.1.0/24")
    return [ec2.create_subnet(VpcId=network, CidrBlock=it)["Subnet"]["SubnetId"] for it in ranges]


@pytest.fixture
def cluster(aws: Account, subnets: list[str]) -> Iterator[str]:
    made = aws.client("eks").create_cluster(
        name="qa",
        roleArn=ROLE,
        resourcesVpcConfig={"subnetIds": subnets},
        accessConfig={"authenticationMode": "API"},
    )
    yield str(made["cluster"]["name"])
    aws.eks.clusters.clear()


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_cluster_is_there_when_it_was_made(aws: Account, cluster: str) -> None:
    shown = aws.client("eks").describe_cluster(name=cluster)["cluster"]
    assert shown["status"] == "ACTIVE"
    assert shown["resourcesVpcConfig"]["vpcId"].startswith("vpc-")
    group = shown["resourcesVpcConfig"]["clusterSecurityGroupId"]
    assert aws.client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"]


def test_a_control_plane_takes_its_time(aws: Account, subnets: list[str]) -> None:
    aws.eks.hold = 3600
    eks = aws.client("eks")
    eks.create_cluster(name="slow", roleArn=ROLE, resourcesVpcConfig={"subnetIds": subnets})
    assert eks.describe_cluster(name="slow")["cluster"]["status"] == "CREATING"
    with pytest.raises(ClientError) as early:
        eks.create_addon(clusterName="slow", addonName="vpc-cni")
    assert code(early) == "ResourceInUseException"
    aws.eks.hold = 0
    assert eks.describe_cluster(name="slow")["cluster"]["status"] == "ACTIVE"
    eks.delete_cluster(name="slow")


@pytest.mark.parametrize(
    ("operation", "asked", "answer"),
    [
        ("describe_cluster", {"name": "none"}, "ResourceNotFoundException"),
        ("create_addon", {"clusterName": "qa", "addonName": "no-such"}, "InvalidParameterException"),
        ("describe_access_entry", {"clusterName": "qa", "principalArn": ADA}, "ResourceNotFoundException"),
        ("update_cluster_version", {"name": "qa", "version": "1.99"}, "InvalidParameterException"),
    ],
)
def test_what_cannot_be_is_refused_in_the_services_own_words(
    aws: Account, cluster: str, operation: str, asked: dict[str, Any], answer: str
) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(aws.client("eks"), operation)(**asked)
    assert code(refused) == answer


def test_auto_mode_takes_all_three_switches(aws: Account, subnets: list[str]) -> None:
    with pytest.raises(ClientError) as refused:
        aws.client("eks").create_cluster(
            name="auto",
            roleArn=ROLE,
            resourcesVpcConfig={"subnetIds": subnets},
            bootstrapSelfManagedAddons=False,
            computeConfig={"enabled": True},
        )
    assert "three switches" in str(refused.value)


def test_what_holds_a_cluster_back(aws: Account, cluster: str, subnets: list[str]) -> None:
    eks = aws.client("eks")
    eks.create_nodegroup(clusterName=cluster, nodegroupName="default", subnets=subnets, nodeRole=ROLE)
    with pytest.raises(ClientError) as held:
        eks.delete_cluster(name=cluster)
    assert code(held) == "ResourceInUseException"
    eks.delete_nodegroup(clusterName=cluster, nodegroupName="default")
    eks.delete_cluster(name=cluster)
    assert aws.eks.inventory() == {}


def test_coredns_waits_for_nodes(aws: Account, cluster: str, subnets: list[str]) -> None:
    eks = aws.client("eks")
    eks.create_addon(clusterName=cluster, addonName="coredns")
    assert eks.describe_addon(clusterName=cluster, addonName="coredns")["addon"]["status"] == "DEGRADED"
    eks.create_nodegroup(clusterName=cluster, nodegroupName="default", subnets=subnets, nodeRole=ROLE)
    assert eks.describe_addon(clusterName=cluster, addonName="coredns")["addon"]["status"] == "ACTIVE"


def test_who_may_enter(aws: Account, cluster: str) -> None:
    assert aws.eks.groups_of(cluster, ADA) is None
    eks = aws.client("eks")
    eks.create_access_entry(clusterName=cluster, principalArn=ADA, kubernetesGroups=["viewers"])
    assert aws.eks.groups_of(cluster, ADA) == ["viewers"]
    eks.associate_access_policy(
        clusterName=cluster, principalArn=ADA, policyArn=ADMIN_POLICY, accessScope={"type": "cluster"}
    )
    assert aws.eks.groups_of(cluster, ADA) == ["viewers", "system:masters"]


def test_calls_are_noted_and_can_be_denied(aws: Account, cluster: str) -> None:
    aws.front.calls.seen.clear()
    aws.client("eks").list_clusters()
    aws.client("logs").describe_log_groups()
    aws.client("ec2").describe_vpcs()
    assert set(aws.front.calls.seen) == {"eks:ListClusters", "logs:DescribeLogGroups", "ec2:DescribeVpcs"}
    aws.front.calls.denied.update(aws.front.calls.seen)
    try:
        for service, operation in (
            ("eks", "list_clusters"),
            ("logs", "describe_log_groups"),
            ("ec2", "describe_vpcs"),
        ):
            with pytest.raises(ClientError) as denied:
                getattr(aws.client(service), operation)()
            assert code(denied) in {"AccessDeniedException", "UnauthorizedOperation"}
    finally:
        aws.front.calls.denied.clear()


def test_who_heard_no_answer_and_asks_again_is_told_the_same(aws: Account, cluster: str) -> None:
    """https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAddon.html, clientRequestToken"""
    asked = {"clusterName": cluster, "addonName": "vpc-cni", "clientRequestToken": "once"}
    eks = aws.client("eks")
    assert eks.create_addon(**asked)["addon"] == eks.create_addon(**asked)["addon"]
    with pytest.raises(ClientError) as refused:
        eks.create_addon(**asked | {"clientRequestToken": "twice"})
    assert code(refused) == "ResourceInUseException"


def test_what_the_service_has_no_word_for_is_found(aws: Account, cluster: str) -> None:
    """The imitation cannot drift from the SDK's description of the real service."""
    document = aws.eks.clusters[cluster].document
    document["invented"] = True
    with pytest.raises(ClientError) as found:
        aws.client("eks").describe_cluster(name=cluster)
    assert "invented" in str(found.value)
