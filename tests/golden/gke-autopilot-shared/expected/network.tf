# The parent's network, with its NAT: nothing here is made or removed with this cluster.
locals {
  network        = var.shared_network.network
  subnetwork     = var.shared_network.subnetwork
  pods_range     = var.shared_network.pods_range
  services_range = var.shared_network.services_range
}
