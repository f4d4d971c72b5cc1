locals {
  # The DNS endpoint asks IAM before anything reaches the API server, from wherever it is called; it cannot be narrowed
  # to address ranges. Where ranges are given, or the API is private, clients go to the server's own address.
  by_name = var.network.api == "public" && length(var.api_access) == 0

  # Where cluster.yaml has moved on to another minor version, that one counts.
  begun_with    = terraform_data.begun_with.input
  least_version = startswith(local.begun_with, "${var.kubernetes_version}.") ? local.begun_with : var.kubernetes_version
}

# A branch begins with the very version its parent has. It is kept, since Google upgrades each of them in its own time.
resource "terraform_data" "begun_with" {
  input = lookup(var.defaults, "kubernetes", "")

  lifecycle {
    ignore_changes = [input]
  }
}

resource "google_container_cluster" "cluster" {
  name = var.names.cluster

  # One zone: a control plane in it, which is there sooner. More: one in the region.
  location       = var.network.zones == 1 ? local.zones[0] : var.region
  node_locations = var.network.zones == 1 ? null : local.zones

  # Terraform refuses to destroy what has `true` here in its state, and a change of it needs an apply of its own. So
  # what is meant to go again is made with `false`.
  deletion_protection = var.cluster_parent == "" && var.cluster_expires == ""

  # Google upgrades by the channel; this is the least it starts from.
  min_master_version = local.least_version

  release_channel {
    channel = var.gke.channel
  }

  network         = local.network
  subnetwork      = local.subnetwork
  networking_mode = "VPC_NATIVE"

  ip_allocation_policy {
    cluster_secondary_range_name  = local.pods_range
    services_secondary_range_name = local.services_range
  }

  private_cluster_config {
    # Without NAT the nodes reach out by addresses of their own.
    enable_private_nodes    = var.network.nat != "none"
    enable_private_endpoint = var.network.api == "private"
  }

  control_plane_endpoints_config {
    dns_endpoint_config {
      allow_external_traffic = local.by_name
    }

    ip_endpoints_config {
      enabled = !local.by_name
    }
  }

  # With the block and no ranges in it, only the cluster's own network gets in.
  dynamic "master_authorized_networks_config" {
    for_each = local.by_name ? [] : [true]

    content {
      gcp_public_cidrs_access_enabled = false

      dynamic "cidr_blocks" {
        for_each = toset(var.network.api == "public" ? var.api_access : [])

        content {
          cidr_block = cidr_blocks.value
        }
      }
    }
  }

  # Certificates of people cannot be taken back; IAM lets them in.
  master_auth {
    client_certificate_config {
      issue_client_certificate = false
    }
  }

  # GKE brings the definitions of the Gateway API itself; charts must not install them again.
  gateway_api_config {
    channel = "CHANNEL_STANDARD"
  }

  # GKE puts them on what it makes itself too, such as disks and load balancers.
  resource_labels = var.tags

  # Dataplane V2 (Cilium): network policies are enforced without an add-on.
  datapath_provider         = "ADVANCED_DATAPATH"
  default_max_pods_per_node = local.pods_per_node
  enable_shielded_nodes     = true

  workload_identity_config {
    workload_pool = "${var.account}.svc.id.goog"
  }

  # GKE wants a pool at the start. One without nodes costs neither money nor the minutes in which a default pool is
  # made and removed again; the pools that count are in nodes.tf, where each can change without a new cluster.
  node_pool {
    name               = "default-pool"
    initial_node_count = 0

    node_config {
      service_account = google_service_account.nodes.email
    }
  }

  lifecycle {
    ignore_changes = [node_pool]
  }

  # Terraform removes in the reverse order: nodes can log and pull images until the cluster is gone.
  depends_on = [google_project_iam_member.nodes]
}
