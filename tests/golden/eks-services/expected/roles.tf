# What controllers may do in AWS, given to their service accounts by EKS Pod Identity: the roles trust a service and not
# a cluster's issuer, so nothing of the account runs full with many clusters (as OIDC providers do).

locals {
  # Namespaces by service account; the content installs the controllers under these names.
  namespaces = {
    external-dns                 = "external-dns"
    cert-manager                 = "cert-manager"
    aws-load-balancer-controller = "kube-system"
    external-secrets             = "external-secrets"
    velero                       = "velero"
    cluster-autoscaler           = "kube-system"
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
    velero = {
      role   = "velero"
      policy = data.aws_iam_policy_document.velero.json
    }
    cluster-autoscaler = {
      role   = "cluster-autoscaler"
      policy = data.aws_iam_policy_document.cluster_autoscaler.json
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
    velero           = object({ bucket = string })
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

# The cluster's own folder of the bucket, so that a branch cannot touch its parent's backups.
data "aws_iam_policy_document" "velero" {
  statement {
    actions = [
      "s3:AbortMultipartUpload",
      "s3:DeleteObject",
      "s3:GetObject",
      "s3:ListMultipartUploadParts",
      "s3:PutObject",
      "s3:PutObjectTagging",
    ]
    resources = ["arn:${data.aws_partition.current.partition}:s3:::${var.services.velero.bucket}/${var.cluster_name}-${var.cluster_id}/*"]
  }

  statement {
    actions   = ["s3:ListBucket"]
    resources = ["arn:${data.aws_partition.current.partition}:s3:::${var.services.velero.bucket}"]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["${var.cluster_name}-${var.cluster_id}", "${var.cluster_name}-${var.cluster_id}/*"]
    }
  }
}

# It may look at every group, and size those that EKS tagged with this cluster's name.
data "aws_iam_policy_document" "cluster_autoscaler" {
  statement {
    actions = [
      "autoscaling:DescribeAutoScalingGroups",
      "autoscaling:DescribeAutoScalingInstances",
      "autoscaling:DescribeLaunchConfigurations",
      "autoscaling:DescribeScalingActivities",
      "autoscaling:DescribeTags",
      "ec2:DescribeImages",
      "ec2:DescribeInstanceTypes",
      "ec2:DescribeLaunchTemplateVersions",
      "ec2:GetInstanceTypesFromInstanceRequirements",
    ]
    resources = ["*"]
  }

  statement {
    actions   = ["eks:DescribeNodegroup"]
    resources = ["arn:${data.aws_partition.current.partition}:eks:${var.region}:${var.account}:nodegroup/${var.names.cluster}/*"]
  }

  statement {
    actions   = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
    resources = ["arn:${data.aws_partition.current.partition}:autoscaling:${var.region}:${var.account}:autoScalingGroup:*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/k8s.io/cluster-autoscaler/${var.names.cluster}"
      values   = ["owned"]
    }
  }
}
