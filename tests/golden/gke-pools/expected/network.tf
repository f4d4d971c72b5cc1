resource "google_compute_network" "cluster" {
  name                    = var.names.prefix
  auto_create_subnetworks = false

  # Networks take no labels; this tells the sweep of a destroy whose it is.
  description = "karrots-id: ${var.cluster_id}"
}

resource "google_compute_subnetwork" "nodes" {
  name          = "${var.names.prefix}-nodes"
  network       = google_compute_network.cluster.id
  ip_cidr_range = local.nodes_cidr

  # Nodes without an address of their own reach Google's APIs and registries without a detour over NAT.
  private_ip_google_access = true

  secondary_ip_range {
    range_name    = "pods"
    ip_cidr_range = local.pods_cidr
  }

  secondary_ip_range {
    range_name    = "services"
    ip_cidr_range = local.services_cidr
  }
}

resource "google_compute_subnetwork" "proxies" {
  name          = "${var.names.prefix}-proxies"
  network       = google_compute_network.cluster.id
  ip_cidr_range = local.proxies_cidr
  purpose       = "REGIONAL_MANAGED_PROXY"
  role          = "ACTIVE"
}

resource "google_compute_router" "cluster" {
  name    = var.names.prefix
  network = google_compute_network.cluster.id
}

# Cloud NAT serves a region and is no machine in a zone: `single` and `per-zone` are the same here.
resource "google_compute_router_nat" "cluster" {
  name                               = var.names.prefix
  router                             = google_compute_router.cluster.name
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"

  # A node starts with few ports and gets more as its pods use them: many pods pull from the same few registries.
  enable_dynamic_port_allocation = true
}

locals {
  network        = google_compute_network.cluster.id
  subnetwork     = google_compute_subnetwork.nodes.id
  pods_range     = "pods"
  services_range = "services"
}
