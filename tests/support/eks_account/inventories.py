"""How much there is of each kind in an account on loopback, asked for without karrots."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.eks_account.account import Account


def of(aws: Account) -> dict[str, int]:
    ec2, iam, logs = aws.client("ec2"), aws.client("iam"), aws.client("logs")
    # What is gone is listed for a while.
    gateways = [it for it in ec2.describe_nat_gateways()["NatGateways"] if it["State"] != "deleted"]
    endpoints = [it for it in ec2.describe_vpc_endpoints()["VpcEndpoints"] if it["State"] != "deleted"]
    reservations = ec2.describe_instances()["Reservations"]
    instances = [it for group in reservations for it in group["Instances"] if it["State"]["Name"] != "terminated"]
    return {
        "networks": len(ec2.describe_vpcs()["Vpcs"]),
        "subnets": len(ec2.describe_subnets()["Subnets"]),
        "route tables": len(ec2.describe_route_tables()["RouteTables"]),
        "gateways": len(ec2.describe_internet_gateways()["InternetGateways"]),
        "nat": len(gateways),
        "addresses": len(ec2.describe_addresses()["Addresses"]),
        "endpoints": len(endpoints),
        "groups": len(ec2.describe_security_groups()["SecurityGroups"]),
        "launch templates": len(ec2.describe_launch_templates()["LaunchTemplates"]),
        "instances": len(instances),
        "volumes": len(ec2.describe_volumes()["Volumes"]),
        "load balancers": len(aws.client("elbv2").describe_load_balancers()["LoadBalancers"]),
        "target groups": len(aws.client("elbv2").describe_target_groups()["TargetGroups"]),
        "DNS records": _records(aws),
        "roles": len(iam.list_roles()["Roles"]),
        "log groups": len(logs.describe_log_groups()["logGroups"]),
        "clusters": len(aws.eks.clusters),
    }


def _records(aws: Account) -> int:
    route53 = aws.client("route53")
    zones = [zone["Id"] for zone in route53.list_hosted_zones()["HostedZones"]]
    return sum(len(route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]) for zone in zones)
