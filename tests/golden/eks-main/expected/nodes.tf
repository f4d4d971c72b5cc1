# Managed node groups: AL2023, sizes and labels from cluster.yaml.

locals {
  taint_effects = {
    NoSchedule       = "NO_SCHEDULE"
    PreferNoSchedule = "PREFER_NO_SCHEDULE"
    NoExecute        = "NO_EXECUTE"
  }

  # The image follows the machine: Graviton has a 'g' after its generation (m7g, c7gn), and families that begin with
  # g or p have an NVIDIA card.
  ami_types = { for name, pool in var.nodes : name => join("_", [
    "AL2023",
    can(regex("^(a1|[a-z]+[0-9]+g)", pool.size)) ? "ARM_64" : "x86_64",
    can(regex("^[gp][0-9]", pool.size)) ? "NVIDIA" : "STANDARD",
  ]) }
}

resource "aws_launch_template" "nodes" {
  for_each = var.nodes

  name                   = "${var.names.prefix}-${each.key}"
  update_default_version = true

  # A token for each session, and one hop: a pod cannot take the node's rights.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_size           = each.value.disk
      volume_type           = "gp3"
      encrypted             = true
      delete_on_termination = true
    }
  }

  # The provider's default tags do not reach what EKS makes.
  dynamic "tag_specifications" {
    for_each = ["instance", "volume", "network-interface"]

    content {
      resource_type = tag_specifications.value

      tags = merge(local.lasting_tags, {
        Name                           = "${var.names.prefix}-${each.key}"
        "ebs.csi.aws.com/cluster-name" = var.names.cluster
      })
    }
  }
}

# Pools with a fixed number of nodes.
resource "aws_eks_node_group" "fixed" {
  for_each = { for name, pool in var.nodes : name => pool if pool.count != null }

  cluster_name = aws_eks_cluster.cluster.name

  # Its end is random, so that a pool that has to be made anew (another size) is there before the old one goes.
  node_group_name_prefix = "${each.key}-"

  # Nodes are upgraded after the control plane, and with it.
  version = aws_eks_cluster.cluster.version

  node_role_arn  = aws_iam_role.nodes.arn
  subnet_ids     = local.node_subnet_ids
  ami_type       = local.ami_types[each.key]
  capacity_type  = each.value.spot ? "SPOT" : "ON_DEMAND"
  instance_types = [each.value.size]
  labels         = each.value.labels

  launch_template {
    id      = aws_launch_template.nodes[each.key].id
    version = aws_launch_template.nodes[each.key].latest_version
  }

  scaling_config {
    desired_size = each.value.count
    min_size     = each.value.count
    max_size     = max(each.value.count, 1)
  }

  update_config {
    max_unavailable_percentage = 33
  }

  dynamic "taint" {
    for_each = each.value.taints

    content {
      key    = taint.value.key
      value  = taint.value.value
      effect = local.taint_effects[taint.value.effect]
    }
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [
    aws_eks_addon.vpc_cni,
    aws_eks_addon.pod_identity,
    aws_iam_role_policy_attachment.nodes,
    # Terraform would take the way out away first at a destroy, and nodes need it for cleaning up until they are gone.
    aws_route.nodes,
    aws_route_table_association.nodes,
  ]
}

data "aws_iam_policy_document" "nodes_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

# To join the cluster and to pull images. What pods may do is given to pods.
resource "aws_iam_role" "nodes" {
  name               = "${var.names.prefix}-nodes"
  assume_role_policy = data.aws_iam_policy_document.nodes_trust.json
}

resource "aws_iam_role_policy_attachment" "nodes" {
  for_each = toset([
    "AmazonEKSWorkerNodePolicy",
    "AmazonEC2ContainerRegistryPullOnly",
  ])

  role       = aws_iam_role.nodes.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/${each.value}"
}
