# What controllers may do in AWS, given to their service accounts by EKS Pod Identity: the roles trust a service and not
# a cluster's issuer, so nothing of the account runs full with many clusters (as OIDC providers do).

locals {
  # Namespaces by service account; the content installs the controllers under these names.
  namespaces = {
    external-dns = "external-dns"
    cert-manager = "cert-manager"
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
