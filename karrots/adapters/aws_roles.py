"""A cluster's IAM roles as Terraform makes them. IAM lists no tags, so each is asked for by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots.adapters.aws import Aws, items, strings, tags_of, understood, unless
from karrots.adapters.aws_things import Thing, Whose

if TYPE_CHECKING:
    from collections.abc import Iterator

# After the prefix; a test holds them against templates/eks.
ROLES = (
    "cluster", "nodes", "vpc-cni", "ebs-csi", "external-dns", "cert-manager", "load-balancer-controller",
    "external-secrets", "velero", "cluster-autoscaler", "karpenter",
)  # fmt: skip
NONE = "NoSuchEntity"


def roles(aws: Aws, whose: Whose) -> Iterator[Thing]:
    for name in (f"{whose.prefix}-{role}" for role in ROLES if whose.prefix):
        with unless(NONE):
            answer = aws.call("iam", "get_role", RoleName=name)
            with understood("iam GetRole"):
                yield Thing("role", name, name, tags_of(answer["Role"]))


def remove_role(aws: Aws, thing: Thing) -> None:
    """With what would hold it. An instance profile has one role at most, and is of no use without it."""
    role = {"RoleName": thing.key}
    for it in items(aws.call("iam", "list_attached_role_policies", **role), "AttachedPolicies"):
        aws.call("iam", "detach_role_policy", PolicyArn=it["PolicyArn"], **role)
    for policy in strings(aws.call("iam", "list_role_policies", **role), "PolicyNames"):
        aws.call("iam", "delete_role_policy", PolicyName=policy, **role)
    for it in items(aws.call("iam", "list_instance_profiles_for_role", **role), "InstanceProfiles"):
        profile = {"InstanceProfileName": it["InstanceProfileName"]}
        aws.call("iam", "remove_role_from_instance_profile", **profile, **role)
        aws.call("iam", "delete_instance_profile", **profile)
    aws.call("iam", "delete_role", **role)
