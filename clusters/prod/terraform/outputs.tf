output "cluster_id" {
  value = var.cluster_id
}

output "access_file" {
  description = "Where the engine keeps the API server's address and the admin certificate (mode 0600)."
  value       = "${var.engine_home}/${var.cluster_id}/access.json"

  depends_on = [terraform_data.control_plane]
}
