output "cluster_id" {
  value = var.cluster_id
}

output "cluster_name" {
  value = aws_eks_cluster.cluster.name
}

output "endpoint" {
  value = aws_eks_cluster.cluster.endpoint
}

output "ca_data" {
  description = "The API server's certificate authority: PEM in base64."
  value       = aws_eks_cluster.cluster.certificate_authority[0].data
}

output "vpc_id" {
  value = local.vpc_id
}

output "node_role" {
  description = "For role of Karpenter's EC2NodeClass."
  value       = aws_iam_role.nodes.name
}

output "node_subnets" {
  description = "For subnetSelectorTerms of Karpenter's EC2NodeClass, as they stand in YAML."
  value       = jsonencode([for id in local.node_subnet_ids : { id = id }])
}
