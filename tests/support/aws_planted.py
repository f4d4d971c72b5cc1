"""Things in an account as controllers of a cluster make them, and as AWS tags them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from karrots.adapters.aws_things import CLUSTER, ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.adapters.aws import Aws

ZONE = "eu-central-1a"
TRUST = {"Version": "2012-10-17", "Statement": []}
IMAGE = "ami-12c6146b"  # one of those that moto has


@dataclass
class Planted:
    """A cluster's surroundings. `marks` is what its controllers were told to put on all they make."""

    aws: Aws
    name: str
    id: str
    range: str
    domain: str
    marks: Mapping[str, str] = field(default_factory=dict)
    vpc: str = ""
    subnets: tuple[str, ...] = ()
    keys: dict[str, str] = field(default_factory=dict)

    def network(self) -> None:
        """As Terraform makes it: with our tags."""
        self.vpc = self.aws.call("ec2", "create_vpc", CidrBlock=self.range)["Vpc"]["VpcId"]
        base = self.range.rsplit(".", 2)[0]
        zones = ("eu-central-1a", "eu-central-1b")
        ranges = (f"{base}.1.0/24", f"{base}.2.0/24")
        self.subnets = tuple(
            self.aws.call("ec2", "create_subnet", VpcId=self.vpc, CidrBlock=part, AvailabilityZone=zone)["Subnet"][
                "SubnetId"
            ]
            for zone, part in zip(zones, ranges, strict=True)
        )
        self.mark(self.vpc, *self.subnets)

    @property
    def own(self) -> dict[str, str]:
        """What Terraform puts on all it makes."""
        return {ID: self.id, CLUSTER: self.name}

    def mark(self, *keys: str) -> None:
        self.aws.call("ec2", "create_tags", Resources=list(keys), Tags=pairs(self.own))

    def made_by_terraform(self) -> None:
        """The parts of the network, and a role with all that may hang on one."""
        self.keys |= {"VPC": self.vpc, "subnet": self.subnets[0]}
        self.way_out()
        self.route_table()
        self.endpoint()
        self.role()

    def way_out(self) -> None:
        gateway = self.aws.call("ec2", "create_internet_gateway")["InternetGateway"]["InternetGatewayId"]
        self.aws.call("ec2", "attach_internet_gateway", InternetGatewayId=gateway, VpcId=self.vpc)
        address = self.aws.call("ec2", "allocate_address", Domain="vpc")["AllocationId"]
        nat = self.aws.call("ec2", "create_nat_gateway", SubnetId=self.subnets[0], AllocationId=address)
        self.keys |= {"internet gateway": gateway, "Elastic IP": address}
        self.keys["NAT gateway"] = nat["NatGateway"]["NatGatewayId"]
        self.mark(gateway, address, self.keys["NAT gateway"])

    def route_table(self) -> None:
        table = self.aws.call("ec2", "create_route_table", VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.aws.call("ec2", "associate_route_table", RouteTableId=table, SubnetId=self.subnets[0])
        self.aws.call(
            "ec2", "create_route", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0",
            GatewayId=self.keys["internet gateway"],
        )  # fmt: skip
        self.keys["route table"] = table
        self.mark(table)

    def endpoint(self) -> None:
        made = self.aws.call(
            "ec2", "create_vpc_endpoint", VpcId=self.vpc, ServiceName="com.amazonaws.eu-central-1.s3",
            VpcEndpointType="Gateway", RouteTableIds=[self.keys["route table"]],
        )  # fmt: skip
        self.keys["VPC endpoint"] = made["VpcEndpoint"]["VpcEndpointId"]
        self.mark(self.keys["VPC endpoint"])

    def role(self, tags: Mapping[str, str] | None = None) -> None:
        name = f"{self.name}-{self.id[-8:]}-nodes"
        own = pairs(self.own if tags is None else tags)
        self.aws.call("iam", "create_role", RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST), Tags=own)
        policy = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}})
        self.aws.call("iam", "put_role_policy", RoleName=name, PolicyName="inline", PolicyDocument=policy)
        managed = self.aws.call("iam", "create_policy", PolicyName=f"{name}-x", PolicyDocument=policy)["Policy"]["Arn"]
        self.aws.call("iam", "attach_role_policy", RoleName=name, PolicyArn=managed)
        self.aws.call("iam", "create_instance_profile", InstanceProfileName=f"eks-{name}")
        self.aws.call("iam", "add_role_to_instance_profile", InstanceProfileName=f"eks-{name}", RoleName=name)
        self.keys["role"] = name

    def all(self, dns_zone: str) -> None:
        self.security_group()
        self.load_balancer()
        self.classic_load_balancer()
        self.target_group()
        self.instance()
        self.interface()
        self.volume()
        self.snapshot()
        self.launch_template()
        self.log_groups()
        self.oidc_provider()
        self.records(dns_zone)
        self.made_by_terraform()

    def load_balancer(self) -> None:
        tags = pairs({**self.marks, "elbv2.k8s.aws/cluster": self.name, "service.k8s.aws/stack": "shop/web"})
        made = self.aws.call(
            "elbv2", "create_load_balancer", Name=f"k8s-shop-web-{self.id[-6:]}", Type="network",
            Subnets=list(self.subnets), Tags=tags,
        )  # fmt: skip
        self.keys["load balancer"] = made["LoadBalancers"][0]["LoadBalancerArn"]

    def classic_load_balancer(self) -> None:
        name = f"a{self.id[-12:]}"
        listener = {"Protocol": "TCP", "LoadBalancerPort": 80, "InstanceProtocol": "TCP", "InstancePort": 30080}
        own = {f"kubernetes.io/cluster/{self.name}": "owned", "kubernetes.io/service-name": "shop/old"}
        tags = pairs({**self.marks, **own})
        self.aws.call(
            "elb",
            "create_load_balancer",
            LoadBalancerName=name,
            Listeners=[listener],
            Subnets=list(self.subnets),
            SecurityGroups=[self.keys["security group"]],
            Tags=tags,
        )
        self.keys["classic load balancer"] = name

    def target_group(self) -> None:
        tags = pairs({**self.marks, "elbv2.k8s.aws/cluster": self.name})
        made = self.aws.call(
            "elbv2",
            "create_target_group",
            Name=f"k8s-shop-{self.id[-6:]}",
            Protocol="TCP",
            Port=80,
            VpcId=self.vpc,
            Tags=tags,
        )
        self.keys["target group"] = made["TargetGroups"][0]["TargetGroupArn"]

    def instance(self) -> None:
        """As Karpenter starts one."""
        tags = pairs({**self.marks, "karpenter.sh/nodepool": "default", "eks:eks-cluster-name": self.name})
        made = self.aws.call(
            "ec2", "run_instances", ImageId=IMAGE, InstanceType="m5.large", MinCount=1, MaxCount=1,
            SubnetId=self.subnets[0],
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
        )  # fmt: skip
        self.keys["instance"] = made["Instances"][0]["InstanceId"]

    def interface(self) -> None:
        tags = pairs({**self.marks, "cluster.k8s.amazonaws.com/name": self.name})
        made = self.aws.call(
            "ec2", "create_network_interface", SubnetId=self.subnets[0], Description="aws-K8S-i-0123456789abcdef0",
            TagSpecifications=[{"ResourceType": "network-interface", "Tags": tags}],
        )  # fmt: skip
        self.keys["network interface"] = made["NetworkInterface"]["NetworkInterfaceId"]

    def security_group(self) -> None:
        """The load balancer controller's shared one, which the nodes' group lets in."""
        tags = pairs({**self.marks, "elbv2.k8s.aws/cluster": self.name, "elbv2.k8s.aws/resource": "backend-sg"})
        made = self.aws.call(
            "ec2", "create_security_group", GroupName=f"k8s-traffic-{self.name}-{self.id[-6:]}", Description="x",
            VpcId=self.vpc, TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
        )  # fmt: skip
        self.keys["security group"] = made["GroupId"]

    def volume(self) -> None:
        tags = pairs({
            **self.marks, "ebs.csi.aws.com/cluster": "true", "ebs.csi.aws.com/cluster-name": self.name,
            "kubernetes.io/created-for/pvc/namespace": "shop", "kubernetes.io/created-for/pvc/name": "data",
        })  # fmt: skip
        made = self.aws.call(
            "ec2",
            "create_volume",
            Size=8,
            AvailabilityZone=ZONE,
            TagSpecifications=[{"ResourceType": "volume", "Tags": tags}],
        )
        self.keys["volume"] = made["VolumeId"]

    def snapshot(self, **changes: str | None) -> None:
        """As the EBS CSI driver takes one; of a volume of its own, which is gone. A tag is taken away by None."""
        name = f"snapshot-{self.id.lower()}"
        tags = {**self.marks, "ebs.csi.aws.com/cluster": "true", "CSIVolumeSnapshotName": name,
                "ebs.csi.aws.com/cluster-name": self.name, **changes}  # fmt: skip
        source = self.aws.call("ec2", "create_volume", Size=8, AvailabilityZone=ZONE)["VolumeId"]
        made = self.aws.call(
            "ec2", "create_snapshot", VolumeId=source,
            TagSpecifications=[{
                "ResourceType": "snapshot", "Tags": pairs({key: value for key, value in tags.items() if value}),
            }],
        )  # fmt: skip
        self.aws.call("ec2", "delete_volume", VolumeId=source)
        self.keys["snapshot"] = made["SnapshotId"]

    def launch_template(self) -> None:
        tags = pairs({**self.marks, "karpenter.k8s.aws/cluster": self.name})
        made = self.aws.call(
            "ec2", "create_launch_template", LaunchTemplateName=f"karpenter-{self.id[-8:]}",
            LaunchTemplateData={"InstanceType": "m5.large"},
            TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}],
        )  # fmt: skip
        self.keys["launch template"] = made["LaunchTemplate"]["LaunchTemplateId"]

    def log_groups(self) -> None:
        name = f"/aws/eks/{self.name}/cluster"
        self.aws.call("logs", "create_log_group", logGroupName=name, tags=dict(self.marks))
        self.keys["log group"] = name

    def oidc_provider(self) -> None:
        made = self.aws.call(
            "iam", "create_open_id_connect_provider", Url=f"https://oidc.eks.eu-central-1.amazonaws.com/id/{self.id.upper()}",
            ThumbprintList=["a" * 40], ClientIDList=["sts.amazonaws.com"],
            Tags=pairs({**self.marks, "alpha.eksctl.io/cluster-name": self.name}),
        )  # fmt: skip
        self.keys["OIDC provider"] = made["OpenIDConnectProviderArn"]

    def records(self, zone: str) -> None:
        """As external-dns writes them: the record, and beside it who made it."""
        heritage = f'"heritage=external-dns,external-dns/owner={self.id},external-dns/resource=ingress/shop/web"'
        for name, kind, value in (
            (f"shop.{self.domain}", "A", "192.0.2.7"),
            (f"a-shop.{self.domain}", "TXT", heritage),
            (f"old.{self.domain}", "CNAME", "lb.example.net"),
            (f"cname-old.{self.domain}", "TXT", heritage),
        ):
            record(self.aws, zone, name, kind, value)
        self.keys["DNS record"] = f"{zone}/shop.{self.domain}./A"


def record(aws: Aws, zone: str, name: str, kind: str, value: str) -> None:
    wanted = {"Name": name, "Type": kind, "TTL": 300, "ResourceRecords": [{"Value": value}]}
    change = {"Action": "CREATE", "ResourceRecordSet": wanted}
    aws.call("route53", "change_resource_record_sets", HostedZoneId=zone, ChangeBatch={"Changes": [change]})


def hosted_zone(aws: Aws, name: str) -> str:
    made = aws.call("route53", "create_hosted_zone", Name=name, CallerReference=name)
    return str(made["HostedZone"]["Id"]).removeprefix("/hostedzone/")


def cluster(aws: Aws, name: str, cluster_id: str, subnets: tuple[str, ...]) -> None:
    role = aws.call("iam", "create_role", RoleName=f"r-{cluster_id}", AssumeRolePolicyDocument=json.dumps(TRUST))
    aws.call(
        "eks", "create_cluster", name=name, roleArn=role["Role"]["Arn"], tags={ID: cluster_id},
        resourcesVpcConfig={"subnetIds": list(subnets)}, version="1.36",
    )  # fmt: skip


def pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
