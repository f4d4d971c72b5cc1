# What controllers may do in AWS, given to their service accounts by EKS Pod Identity: the roles trust a service and not
# a cluster's issuer, so nothing of the account runs full with many clusters (as OIDC providers do).

locals {
  # Namespaces by service account; the content installs the controllers under these names.
  namespaces = {
    external-dns                 = "external-dns"
    cert-manager                 = "cert-manager"
    aws-load-balancer-controller = "kube-system"
    external-secrets             = "external-secrets"
    karpenter                    = "kube-system"
    aws-node                     = "kube-system"
    ebs-csi-controller-sa        = "kube-system"
  }

  controllers = {
    external-dns = {
      role   = "external-dns"
      policy = data.aws_iam_policy_document.external_dns.json
    }
    cert-manager = {
      role   = "cert-manager"
      policy = data.aws_iam_policy_document.cert_manager.json
    }
    aws-load-balancer-controller = {
      role   = "load-balancer-controller"
      policy = data.aws_iam_policy_document.load_balancer_controller.json
    }
    external-secrets = {
      role   = "external-secrets"
      policy = data.aws_iam_policy_document.external_secrets.json
    }
    karpenter = {
      role   = "karpenter"
      policy = data.aws_iam_policy_document.karpenter.json
    }
  }
}

# Only pods of this cluster under that name.
data "aws_iam_policy_document" "pod_trust" {
  for_each = local.namespaces

  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/eks-cluster-name"
      values   = [var.names.cluster]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/kubernetes-namespace"
      values   = [each.value]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/kubernetes-service-account"
      values   = [each.key]
    }
  }
}

resource "aws_iam_role" "controllers" {
  for_each = local.controllers

  name               = "${var.names.prefix}-${each.value.role}"
  assume_role_policy = data.aws_iam_policy_document.pod_trust[each.key].json
}

resource "aws_iam_role_policy" "controllers" {
  for_each = local.controllers

  name   = each.value.role
  role   = aws_iam_role.controllers[each.key].id
  policy = each.value.policy
}

resource "aws_eks_pod_identity_association" "controllers" {
  for_each = local.controllers

  cluster_name    = aws_eks_cluster.cluster.name
  namespace       = local.namespaces[each.key]
  service_account = each.key
  role_arn        = aws_iam_role.controllers[each.key].arn
}

# Records at and below the cluster's own domain, in whichever zone holds it; the second line are the names that
# external-dns gives the TXT records which say whose a record is.
data "aws_iam_policy_document" "external_dns" {
  statement {
    actions   = ["route53:ChangeResourceRecordSets"]
    resources = ["arn:${data.aws_partition.current.partition}:route53:::hostedzone/*"]

    condition {
      test     = "ForAllValues:StringLike"
      variable = "route53:ChangeResourceRecordSetsNormalizedRecordNames"
      values = concat(
        [var.cluster_domain, "*.${var.cluster_domain}"],
        [for type in ["a", "aaaa", "cname"] : "${type}-${var.cluster_domain}"],
      )
    }
  }

  statement {
    actions   = ["route53:ListResourceRecordSets", "route53:ListTagsForResources"]
    resources = ["arn:${data.aws_partition.current.partition}:route53:::hostedzone/*"]
  }

  statement {
    actions   = ["route53:ListHostedZones"]
    resources = ["*"]
  }
}

# The challenges of Let's Encrypt, and nothing else.
data "aws_iam_policy_document" "cert_manager" {
  statement {
    actions   = ["route53:ChangeResourceRecordSets"]
    resources = ["arn:${data.aws_partition.current.partition}:route53:::hostedzone/*"]

    condition {
      test     = "ForAllValues:StringLike"
      variable = "route53:ChangeResourceRecordSetsNormalizedRecordNames"
      values   = ["_acme-challenge.${var.cluster_domain}", "_acme-challenge.*.${var.cluster_domain}"]
    }

    condition {
      test     = "ForAllValues:StringEquals"
      variable = "route53:ChangeResourceRecordSetsRecordTypes"
      values   = ["TXT"]
    }
  }

  statement {
    actions   = ["route53:ListResourceRecordSets"]
    resources = ["arn:${data.aws_partition.current.partition}:route53:::hostedzone/*"]
  }

  statement {
    actions   = ["route53:GetChange"]
    resources = ["arn:${data.aws_partition.current.partition}:route53:::change/*"]
  }

  statement {
    actions   = ["route53:ListHostedZonesByName"]
    resources = ["*"]
  }
}

# Narrower than what the controller's project offers: it may touch what bears this cluster's name alone, so that a branch
# cannot harm its parent. WAF and Shield it may only look at.
data "aws_iam_policy_document" "load_balancer_controller" {
  statement {
    actions = [
      "acm:DescribeCertificate",
      "acm:ListCertificates",
      "ec2:DescribeAccountAttributes",
      "ec2:DescribeAddresses",
      "ec2:DescribeAvailabilityZones",
      "ec2:DescribeInstances",
      "ec2:DescribeInternetGateways",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeRouteTables",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets",
      "ec2:DescribeTags",
      "ec2:DescribeVpcPeeringConnections",
      "ec2:DescribeVpcs",
      "ec2:GetSecurityGroupsForVpc",
      "elasticloadbalancing:Describe*",
      "iam:GetServerCertificate",
      "iam:ListServerCertificates",
      "shield:DescribeProtection",
      "shield:GetSubscriptionState",
      "waf-regional:GetWebACLForResource",
      "wafv2:GetWebACLForResource",
    ]
    resources = ["*"]
  }

  # The first load balancer of an account needs it.
  statement {
    actions   = ["iam:CreateServiceLinkedRole"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "iam:AWSServiceName"
      values   = ["elasticloadbalancing.amazonaws.com"]
    }
  }

  # Making: in this network, and only under the cluster's name.
  statement {
    actions   = ["ec2:CreateSecurityGroup"]
    resources = ["arn:${data.aws_partition.current.partition}:ec2:${var.region}:${var.account}:vpc/${local.vpc_id}"]
  }

  statement {
    actions = [
      "ec2:CreateSecurityGroup",
      "elasticloadbalancing:CreateLoadBalancer",
      "elasticloadbalancing:CreateTargetGroup",
    ]
    resources = [
      "arn:${data.aws_partition.current.partition}:ec2:${var.region}:${var.account}:security-group/*",
      "arn:${data.aws_partition.current.partition}:elasticloadbalancing:${var.region}:${var.account}:*",
    ]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/elbv2.k8s.aws/cluster"
      values   = [var.names.cluster]
    }
  }

  statement {
    actions   = ["ec2:CreateTags"]
    resources = ["arn:${data.aws_partition.current.partition}:ec2:${var.region}:${var.account}:security-group/*"]

    condition {
      test     = "StringEquals"
      variable = "ec2:CreateAction"
      values   = ["CreateSecurityGroup"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/elbv2.k8s.aws/cluster"
      values   = [var.names.cluster]
    }
  }

  statement {
    actions   = ["elasticloadbalancing:AddTags"]
    resources = ["arn:${data.aws_partition.current.partition}:elasticloadbalancing:${var.region}:${var.account}:*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/elbv2.k8s.aws/cluster"
      values   = [var.names.cluster]
    }
  }

  # Changing and deleting: what bears the cluster's name.
  statement {
    actions = [
      "ec2:AuthorizeSecurityGroupIngress",
      "ec2:CreateTags",
      "ec2:DeleteSecurityGroup",
      "ec2:DeleteTags",
      "ec2:RevokeSecurityGroupIngress",
      "elasticloadbalancing:AddListenerCertificates",
      "elasticloadbalancing:AddTags",
      "elasticloadbalancing:CreateListener",
      "elasticloadbalancing:CreateRule",
      "elasticloadbalancing:DeleteListener",
      "elasticloadbalancing:DeleteLoadBalancer",
      "elasticloadbalancing:DeleteRule",
      "elasticloadbalancing:DeleteTargetGroup",
      "elasticloadbalancing:DeregisterTargets",
      "elasticloadbalancing:ModifyListener",
      "elasticloadbalancing:ModifyListenerAttributes",
      "elasticloadbalancing:ModifyLoadBalancerAttributes",
      "elasticloadbalancing:ModifyRule",
      "elasticloadbalancing:ModifyTargetGroup",
      "elasticloadbalancing:ModifyTargetGroupAttributes",
      "elasticloadbalancing:RegisterTargets",
      "elasticloadbalancing:RemoveListenerCertificates",
      "elasticloadbalancing:RemoveTags",
      "elasticloadbalancing:SetIpAddressType",
      "elasticloadbalancing:SetRulePriorities",
      "elasticloadbalancing:SetSecurityGroups",
      "elasticloadbalancing:SetSubnets",
    ]
    resources = [
      "arn:${data.aws_partition.current.partition}:ec2:${var.region}:${var.account}:security-group/*",
      "arn:${data.aws_partition.current.partition}:elasticloadbalancing:${var.region}:${var.account}:*",
    ]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/elbv2.k8s.aws/cluster"
      values   = [var.names.cluster]
    }
  }

  # The nodes' own group, which EKS made, lets load balancers in.
  statement {
    actions   = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]
    resources = ["arn:${data.aws_partition.current.partition}:ec2:${var.region}:${var.account}:security-group/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/kubernetes.io/cluster/${var.names.cluster}"
      values   = ["owned"]
    }
  }
}

variable "services" {
  description = "What cluster.yaml tells the services that ask for rights."
  type = object({
    external-secrets = object({ reads = optional(string) })
  })
}

locals {
  # A cluster's own secrets begin with its name, so that a branch does not read its parent's, and those that all may read
  # as cluster.yaml says.
  secrets = compact(["${var.cluster_name}/", var.services.external-secrets.reads])
}

# Those encrypted with a key of your own need kms:Decrypt beside this.
data "aws_iam_policy_document" "external_secrets" {
  statement {
    actions = [
      "secretsmanager:DescribeSecret",
      "secretsmanager:GetResourcePolicy",
      "secretsmanager:GetSecretValue",
      "secretsmanager:ListSecretVersionIds",
    ]
    resources = [for name in local.secrets : "arn:${data.aws_partition.current.partition}:secretsmanager:${var.region}:${var.account}:secret:${name}*"]
  }

  statement {
    actions   = ["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"]
    resources = [for name in local.secrets : "arn:${data.aws_partition.current.partition}:ssm:${var.region}:${var.account}:parameter/${trimprefix(name, "/")}*"]
  }
}

locals {
  ec2 = "arn:${data.aws_partition.current.partition}:ec2:${var.region}"
  # What it makes to get a machine; each bears the cluster's name from the moment it is made.
  machine_parts = [
    for kind in ["fleet", "instance", "launch-template", "network-interface", "spot-instances-request", "volume"] :
    "${local.ec2}:*:${kind}/*"
  ]
  instance_profiles = "arn:${data.aws_partition.current.partition}:iam::${var.account}:instance-profile/*"
}

# As Karpenter's project documents it for 1.14, without the queue of interruptions and zonal shift.
data "aws_iam_policy_document" "karpenter" {
  statement {
    actions = [
      "ec2:DescribeCapacityReservations",
      "ec2:DescribeImages",
      "ec2:DescribeInstanceStatus",
      "ec2:DescribeInstanceTypeOfferings",
      "ec2:DescribeInstanceTypes",
      "ec2:DescribeInstances",
      "ec2:DescribeLaunchTemplates",
      "ec2:DescribePlacementGroups",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeSpotPriceHistory",
      "ec2:DescribeSubnets",
    ]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [var.region]
    }
  }

  statement {
    actions   = ["iam:ListInstanceProfiles", "pricing:GetProducts"]
    resources = ["*"]
  }

  statement {
    actions   = ["ssm:GetParameter"]
    resources = ["arn:${data.aws_partition.current.partition}:ssm:${var.region}::parameter/aws/service/*"]
  }

  statement {
    actions   = ["eks:DescribeCluster"]
    resources = [aws_eks_cluster.cluster.arn]
  }

  # A machine is made of what is there already …
  statement {
    actions = ["ec2:CreateFleet", "ec2:RunInstances"]
    resources = [
      "${local.ec2}::image/*",
      "${local.ec2}::snapshot/*",
      "${local.ec2}:*:capacity-reservation/*",
      "${local.ec2}:*:placement-group/*",
      "${local.ec2}:*:security-group/*",
      "${local.ec2}:*:subnet/*",
    ]
  }

  # … of its own launch templates …
  statement {
    actions   = ["ec2:CreateFleet", "ec2:RunInstances"]
    resources = ["${local.ec2}:*:launch-template/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/kubernetes.io/cluster/${var.names.cluster}"
      values   = ["owned"]
    }

    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/karpenter.sh/nodepool"
      values   = ["*"]
    }
  }

  # … and of parts that are made under the cluster's name.
  statement {
    actions   = ["ec2:CreateFleet", "ec2:CreateLaunchTemplate", "ec2:RunInstances"]
    resources = local.machine_parts

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/kubernetes.io/cluster/${var.names.cluster}"
      values   = ["owned"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/eks:eks-cluster-name"
      values   = [var.names.cluster]
    }

    condition {
      test     = "StringLike"
      variable = "aws:RequestTag/karpenter.sh/nodepool"
      values   = ["*"]
    }
  }

  statement {
    actions   = ["ec2:CreateTags"]
    resources = local.machine_parts

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/kubernetes.io/cluster/${var.names.cluster}"
      values   = ["owned"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/eks:eks-cluster-name"
      values   = [var.names.cluster]
    }

    condition {
      test     = "StringEquals"
      variable = "ec2:CreateAction"
      values   = ["CreateFleet", "CreateLaunchTemplate", "RunInstances"]
    }

    condition {
      test     = "StringLike"
      variable = "aws:RequestTag/karpenter.sh/nodepool"
      values   = ["*"]
    }
  }

  # Later it may say which node a machine became, and no more.
  statement {
    actions   = ["ec2:CreateTags"]
    resources = ["${local.ec2}:*:instance/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/kubernetes.io/cluster/${var.names.cluster}"
      values   = ["owned"]
    }

    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/karpenter.sh/nodepool"
      values   = ["*"]
    }

    condition {
      test     = "StringEqualsIfExists"
      variable = "aws:RequestTag/eks:eks-cluster-name"
      values   = [var.names.cluster]
    }

    condition {
      test     = "ForAllValues:StringEquals"
      variable = "aws:TagKeys"
      values   = ["eks:eks-cluster-name", "karpenter.sh/nodeclaim", "Name"]
    }
  }

  statement {
    actions   = ["ec2:DeleteLaunchTemplate", "ec2:TerminateInstances"]
    resources = ["${local.ec2}:*:instance/*", "${local.ec2}:*:launch-template/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/kubernetes.io/cluster/${var.names.cluster}"
      values   = ["owned"]
    }

    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/karpenter.sh/nodepool"
      values   = ["*"]
    }
  }

  # Machines get the nodes' role and no other, by profiles that bear the cluster's name.
  statement {
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.nodes.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"]
    }
  }

  statement {
    actions   = ["iam:GetInstanceProfile"]
    resources = [local.instance_profiles]
  }

  statement {
    actions   = ["iam:CreateInstanceProfile"]
    resources = [local.instance_profiles]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/kubernetes.io/cluster/${var.names.cluster}"
      values   = ["owned"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/eks:eks-cluster-name"
      values   = [var.names.cluster]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/topology.kubernetes.io/region"
      values   = [var.region]
    }

    condition {
      test     = "StringLike"
      variable = "aws:RequestTag/karpenter.k8s.aws/ec2nodeclass"
      values   = ["*"]
    }
  }

  statement {
    actions   = ["iam:TagInstanceProfile"]
    resources = [local.instance_profiles]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/kubernetes.io/cluster/${var.names.cluster}"
      values   = ["owned"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/eks:eks-cluster-name"
      values   = [var.names.cluster]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/topology.kubernetes.io/region"
      values   = [var.region]
    }

    condition {
      test     = "StringLike"
      variable = "aws:RequestTag/karpenter.k8s.aws/ec2nodeclass"
      values   = ["*"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/kubernetes.io/cluster/${var.names.cluster}"
      values   = ["owned"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/topology.kubernetes.io/region"
      values   = [var.region]
    }

    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/karpenter.k8s.aws/ec2nodeclass"
      values   = ["*"]
    }
  }

  statement {
    actions = [
      "iam:AddRoleToInstanceProfile",
      "iam:DeleteInstanceProfile",
      "iam:RemoveRoleFromInstanceProfile",
    ]
    resources = [local.instance_profiles]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/kubernetes.io/cluster/${var.names.cluster}"
      values   = ["owned"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/topology.kubernetes.io/region"
      values   = [var.region]
    }

    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/karpenter.k8s.aws/ec2nodeclass"
      values   = ["*"]
    }
  }
}
