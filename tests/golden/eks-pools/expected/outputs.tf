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
