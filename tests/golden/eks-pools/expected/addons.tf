# Add-ons, in the order that works. vpc-cni and the Pod Identity agent come before nodes: without a network no node gets
# ready. CoreDNS comes after: it waits for a node, and is given up after 20 minutes.
#
# Versions are pinned in cluster.yaml (eks.addons); raise them there together with `kubernetes`, as EKS does not. One
# that is not named there begins on a branch as the parent has it (var.defaults), and stays as it is.

locals {
  # Tags whose change may make things anew. The expiry is not one of them: to prolong a cluster would replace its nodes.
  lasting_tags = { for name, value in var.tags : name => value if name != "karrots.dev/expires" }
}

resource "aws_eks_addon" "pod_identity" {
  cluster_name  = aws_eks_cluster.cluster.name
  addon_name    = "eks-pod-identity-agent"
  addon_version = lookup(var.eks.addons, "eks-pod-identity-agent", lookup(var.defaults, "eks-pod-identity-agent", null))

  # What an interrupted attempt left is taken over, here and below.
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
}

resource "aws_eks_addon" "vpc_cni" {
  cluster_name  = aws_eks_cluster.cluster.name
  addon_name    = "vpc-cni"
  addon_version = lookup(var.eks.addons, "vpc-cni", lookup(var.defaults, "vpc-cni", null))

  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  configuration_values = jsonencode({
    # Else NetworkPolicy objects are taken and do nothing.
    enableNetworkPolicy = "true"
  })

  # Its rights are the pod's alone: on the node's role every pod of the host network would have them.
  pod_identity_association {
    service_account = "aws-node"
    role_arn        = aws_iam_role.vpc_cni.arn
  }

  depends_on = [aws_iam_role_policy_attachment.vpc_cni]
}

resource "aws_eks_addon" "coredns" {
  cluster_name  = aws_eks_cluster.cluster.name
  addon_name    = "coredns"
  addon_version = lookup(var.eks.addons, "coredns", lookup(var.defaults, "coredns", null))

  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  depends_on = [aws_eks_node_group.fixed, aws_eks_node_group.scaled]
}

resource "aws_eks_addon" "kube_proxy" {
  cluster_name  = aws_eks_cluster.cluster.name
  addon_name    = "kube-proxy"
  addon_version = lookup(var.eks.addons, "kube-proxy", lookup(var.defaults, "kube-proxy", null))

  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  depends_on = [aws_eks_node_group.fixed, aws_eks_node_group.scaled]
}

resource "aws_eks_addon" "ebs_csi" {
  cluster_name  = aws_eks_cluster.cluster.name
  addon_name    = "aws-ebs-csi-driver"
  addon_version = lookup(var.eks.addons, "aws-ebs-csi-driver", lookup(var.defaults, "aws-ebs-csi-driver", null))

  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  configuration_values = jsonencode({
    # Since Kubernetes 1.30 EKS has no default storage class, and claims would stay pending.
    defaultStorageClass = {
      enabled = true
    }
    # A volume that outlives the cluster can be told to be its own.
    controller = {
      extraVolumeTags = local.lasting_tags
    }
  })

  pod_identity_association {
    service_account = "ebs-csi-controller-sa"
    role_arn        = aws_iam_role.ebs_csi.arn
  }

  depends_on = [
    aws_iam_role_policy_attachment.ebs_csi,
    aws_eks_node_group.fixed,
    aws_eks_node_group.scaled,
  ]
}

resource "aws_iam_role" "vpc_cni" {
  name               = "${var.names.prefix}-vpc-cni"
  assume_role_policy = data.aws_iam_policy_document.pod_trust["aws-node"].json
}

resource "aws_iam_role_policy_attachment" "vpc_cni" {
  role       = aws_iam_role.vpc_cni.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/AmazonEKS_CNI_Policy"
}

resource "aws_iam_role" "ebs_csi" {
  name               = "${var.names.prefix}-ebs-csi"
  assume_role_policy = data.aws_iam_policy_document.pod_trust["ebs-csi-controller-sa"].json
}

# The narrowest of three: volumes of this cluster alone, known by the name that Pod Identity puts into the session. It
# needs version 1.58 of the driver, and on instances the tag that nodes.tf gives them.
resource "aws_iam_role_policy_attachment" "ebs_csi" {
  role       = aws_iam_role.ebs_csi.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/AmazonEBSCSIDriverEKSClusterScopedPolicy"
}
