output "cluster_id" {
  value = var.cluster_id
}

output "cluster_name" {
  value = azurerm_kubernetes_cluster.cluster.name
}

output "endpoint" {
  value = "https://${local.private ? azurerm_kubernetes_cluster.cluster.private_fqdn : azurerm_kubernetes_cluster.cluster.fqdn}:443"
}

output "ca_data" {
  description = "PEM in base64. It is public, unlike the rest of the block it comes in."
  value       = nonsensitive(azurerm_kubernetes_cluster.cluster.kube_config[0].cluster_ca_certificate)
}

output "resource_group" {
  value = azurerm_resource_group.cluster.name
}

output "node_resource_group" {
  value = azurerm_kubernetes_cluster.cluster.node_resource_group
}

output "dns_identity" {
  description = "For the annotation azure.workload.identity/client-id of external-dns and cert-manager."
  value       = azurerm_user_assigned_identity.dns.client_id
}

output "shared_network" {
  description = "What a branch with `network.mode: shared` takes as its variable of this name."
  value = {
    subnet_id          = local.subnet_id
    outbound_addresses = local.outbound_addresses
  }
}
