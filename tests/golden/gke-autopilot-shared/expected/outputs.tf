output "cluster_id" {
  value = var.cluster_id
}

output "cluster_name" {
  value = google_container_cluster.cluster.name
}

output "endpoint" {
  value = local.by_name ? "https://${google_container_cluster.cluster.control_plane_endpoints_config[0].dns_endpoint_config[0].endpoint}" : "https://${google_container_cluster.cluster.endpoint}"
}

output "ca_data" {
  description = "PEM in base64. Empty for the DNS endpoint: its certificate is one that every system trusts."
  value       = local.by_name ? "" : google_container_cluster.cluster.master_auth[0].cluster_ca_certificate
}

output "location" {
  value = google_container_cluster.cluster.location
}

output "network" {
  value = local.network
}

output "dns_identity" {
  description = "For the annotation iam.gke.io/gcp-service-account of external-dns and cert-manager."
  value       = google_service_account.dns.email
}

output "shared_network" {
  description = "What a branch with `network.mode: shared` takes as its variable of this name. Pods of several clusters share a range; services do not, and GKE gives them one of its own."
  value = {
    network        = local.network
    subnetwork     = local.subnetwork
    pods_range     = local.pods_range
    services_range = null
  }
}
