resource "aws_eks_cluster" "cluster" {
  name     = var.names.cluster
  version  = var.kubernetes_version
  role_arn = aws_iam_role.cluster.arn

  # EKS would install its own choice of add-ons, which Terraform could not change; ours are in addons.tf.
  bootstrap_self_managed_addons = false

  # What tells who did what, and why a login failed.
  enabled_cluster_log_types = ["api", "audit", "authenticator"]

  # Rights are access entries (access.tf) and not a ConfigMap inside of the cluster, which one bad edit locks everyone
  # out of. The right that EKS gives silently to whoever created the cluster is given in the open there.
  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = false
  }

  # An old version is upgraded when its support ends, and not kept at six times the price.
  upgrade_policy {
    support_type = "STANDARD"
  }

  vpc_config {
    subnet_ids = local.control_plane_subnet_ids

    # Nodes always use the private address, so that narrowing the public one never cuts them off.
    endpoint_private_access = true
    endpoint_public_access  = var.network.api == "public"
    public_access_cidrs     = length(var.api_access) > 0 ? var.api_access : ["0.0.0.0/0"]
  }

  # EKS Auto Mode is these three switches, all on or all off: off is said aloud, as leaving a block out would not
  # switch it off again.
  compute_config {
    enabled = var.eks.auto_mode
  }

  kubernetes_network_config {
    elastic_load_balancing {
      enabled = var.eks.auto_mode
    }
  }

  storage_config {
    block_storage {
      enabled = var.eks.auto_mode
    }
  }

  lifecycle {
    # EKS does not tell them afterwards, so a cluster that is taken over by import would be made anew for their sake.
    ignore_changes = [bootstrap_self_managed_addons, access_config[0].bootstrap_cluster_creator_admin_permissions]
  }

  # No key of our own for secrets: EKS encrypts them with one of its own, and a customer's key cannot be deleted for at
  # least a week, nor its alias be used again by the next cluster of the name.

  depends_on = [
    # EKS makes the log group when it is not there, and then it would stay.
    aws_cloudwatch_log_group.cluster,
    # At a destroy EKS still has to take away its network interfaces and security group.
    aws_iam_role_policy_attachment.cluster,
  ]
}

resource "aws_cloudwatch_log_group" "cluster" {
  name              = "/aws/eks/${var.names.cluster}/cluster"
  retention_in_days = 30
}

data "aws_iam_policy_document" "cluster_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["eks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "cluster" {
  name               = "${var.names.prefix}-cluster"
  assume_role_policy = data.aws_iam_policy_document.cluster_trust.json
}

resource "aws_iam_role_policy_attachment" "cluster" {
  for_each = toset([
    "AmazonEKSClusterPolicy",
  ])

  role       = aws_iam_role.cluster.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/${each.value}"
}
