# GKE counts nodes per zone, cluster.yaml counts those of a pool. What zones do not divide evenly becomes a second pool
# with one node in each of the first zones: 3 nodes in 2 zones are 1 and 1, and 1 more.
locals {
  pools = merge(
    {
      for name, pool in var.nodes : name => {
        pool  = name
        zones = slice(local.zones, 0, min(length(local.zones), coalesce(pool.max, length(local.zones))))
        least = pool.min
        most  = pool.max
        count = pool.count == null ? null : floor(pool.count / length(local.zones))
      }
    },
    {
      for name, pool in var.nodes : "${name}-rest" => {
        pool  = name
        zones = slice(local.zones, 0, coalesce(pool.count, 0) % length(local.zones))
        least = null
        most  = null
        count = 1
      } if coalesce(pool.count, 0) % length(local.zones) > 0
    },
  )

  # The autoscaler adds nodes for pods and not to reach a pool's minimum, so a pool starts with it: as many in each zone
  # as make it up, and no more than its maximum has room for.
  starts = {
    for name, pool in local.pools : name => min(ceil(pool.least / length(pool.zones)), floor(pool.most / length(pool.zones)))
    if pool.count == null
  }

  taint_effects = {
    NoSchedule       = "NO_SCHEDULE"
    PreferNoSchedule = "PREFER_NO_SCHEDULE"
    NoExecute        = "NO_EXECUTE"
  }
}

resource "google_container_node_pool" "pool" {
  for_each = local.pools

  name           = each.key
  cluster        = google_container_cluster.cluster.id
  node_locations = each.value.zones

  node_count = each.value.count

  initial_node_count = each.value.count == null ? local.starts[each.key] : null

  dynamic "autoscaling" {
    for_each = each.value.count == null ? [true] : []

    content {
      total_min_node_count = each.value.least
      total_max_node_count = each.value.most
      # Spot machines are taken where there are any.
      location_policy = var.nodes[each.value.pool].spot ? "ANY" : "BALANCED"
    }
  }

  # A cluster in a release channel has both.
  management {
    auto_repair  = true
    auto_upgrade = true
  }

  upgrade_settings {
    max_surge       = 1
    max_unavailable = 0
  }

  node_config {
    machine_type    = var.nodes[each.value.pool].size
    disk_size_gb    = var.nodes[each.value.pool].disk
    spot            = var.nodes[each.value.pool].spot
    labels          = var.nodes[each.value.pool].labels
    resource_labels = var.tags

    # What the nodes may do is said by the account's roles and not by scopes.
    service_account = google_service_account.nodes.email
    oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]

    dynamic "taint" {
      for_each = var.nodes[each.value.pool].taints

      content {
        key    = taint.value.key
        value  = taint.value.value
        effect = local.taint_effects[taint.value.effect]
      }
    }

    # Pods get tokens of their own accounts and cannot reach the node's.
    workload_metadata_config {
      mode = "GKE_METADATA"
    }

    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }

    metadata = {
      disable-legacy-endpoints = "true"
    }
  }

  lifecycle {
    # It is about the start alone, and a change of it would make the pool anew.
    ignore_changes = [initial_node_count]
  }

  # Nodes need the way out to start, and the controllers on them to clean up at the end.
  depends_on = [google_compute_router_nat.cluster]
}

# An account for the nodes alone: the project's default one may edit everything.
resource "google_service_account" "nodes" {
  account_id   = var.names.node_account
  display_name = "Nodes of ${var.cluster_name}"
  description  = "karrots-id: ${var.cluster_id}"
}

resource "google_project_iam_member" "nodes" {
  for_each = toset([
    "roles/container.defaultNodeServiceAccount", # logs and metrics
    "roles/artifactregistry.reader",             # images of the project's own registries
  ])

  project = var.account
  role    = each.value
  member  = google_service_account.nodes.member
}
