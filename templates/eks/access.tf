# Who made the cluster is its admin, in the open: others are added beside this one.

data "aws_caller_identity" "current" {}

# The role behind a session: access is given to roles and users, not to one login.
data "aws_iam_session_context" "current" {
  arn = data.aws_caller_identity.current.arn
}

resource "aws_eks_access_entry" "creator" {
  cluster_name  = aws_eks_cluster.cluster.name
  principal_arn = data.aws_iam_session_context.current.issuer_arn

  lifecycle {
    # Else the next one to run Terraform would put themselves in the creator's place.
    ignore_changes = [principal_arn]
  }
}

resource "aws_eks_access_policy_association" "creator" {
  cluster_name  = aws_eks_cluster.cluster.name
  principal_arn = aws_eks_access_entry.creator.principal_arn
  policy_arn    = "arn:${data.aws_partition.current.partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"

  access_scope {
    type = "cluster"
  }
}
