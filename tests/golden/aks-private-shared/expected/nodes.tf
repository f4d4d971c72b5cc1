# The pools beside the system pool, which is part of the cluster. Azure takes spot machines only here, marks them with
# this label and keeps off them what does not tolerate the taint.
locals {
  pools      = { for name, pool in var.nodes : name => pool if name != var.system_pool }
  spot_label = "kubernetes.azure.com/scalesetpriority"
}

resource "azurerm_kubernetes_cluster_node_pool" "pool" {
  for_each = local.pools

  name                        = var.pool_names[each.key]
  temporary_name_for_rotation = local.rotation_names[each.key]
  kubernetes_cluster_id       = azurerm_kubernetes_cluster.cluster.id
  orchestrator_version        = lookup(var.defaults, "pool/${var.pool_names[each.key]}", local.version)
  vm_size                     = each.value.size
  os_disk_size_gb             = each.value.disk
  max_pods                    = local.pods_per_node
  vnet_subnet_id              = local.subnet_id
  zones                       = local.zones
  tags                        = var.tags

  auto_scaling_enabled = each.value.max != null
  node_count           = each.value.count
  min_count            = each.value.min
  max_count            = each.value.max

  priority        = each.value.spot ? "Spot" : "Regular"
  eviction_policy = each.value.spot ? "Delete" : null
  # Never more than the price of a machine that stays.
  spot_max_price = each.value.spot ? -1 : null

  node_labels = merge(each.value.labels, each.value.spot ? { (local.spot_label) = "spot" } : {})
  node_taints = concat(
    [for taint in each.value.taints : "${taint.key}=${taint.value}:${taint.effect}"],
    each.value.spot ? ["${local.spot_label}=spot:NoSchedule"] : [],
  )

  # Azure moves spot machines by taking them away, and refuses a surge for them.
  dynamic "upgrade_settings" {
    for_each = each.value.spot ? [] : [true]

    content {
      max_surge = "10%"
    }
  }
}
