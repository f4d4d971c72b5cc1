locals {
  private = var.network.api == "private"

  # Azure has three zones where it has any. One zone: wherever there is room.
  zones = var.network.zones == 1 ? null : [for number in range(var.network.zones) : tostring(number + 1)]

  # A pool is made anew beside the old one when its machines change, under this name for so long.
  rotation_names = { for name in keys(var.nodes) : name => "t${substr(md5(name), 0, 10)}" }

  # Versions move by themselves where a cluster stays; one that goes again is left as it was made.
  stays = var.cluster_expires == ""

  # A branch begins with the patch its parent has; what Azure upgrades by itself is then given here as it is.
  version = lookup(var.defaults, "kubernetes", var.kubernetes_version)
}

resource "azurerm_kubernetes_cluster" "cluster" {
  name                = var.names.cluster
  resource_group_name = azurerm_resource_group.cluster.name
  location            = azurerm_resource_group.cluster.location
  node_resource_group = var.names.node_resource_group
  dns_prefix          = var.names.dns_prefix
  sku_tier            = var.aks.tier
  tags                = var.tags

  kubernetes_version        = local.version
  automatic_upgrade_channel = local.stays ? "patch" : null
  node_os_upgrade_channel   = local.stays ? "NodeImage" : "None"

  # People and karrots log in with Entra ID, and roles in Azure say what they may do. A local account would be a
  # certificate that nobody can take back, in plain text in the state.
  local_account_disabled = true

  azure_active_directory_role_based_access_control {
    tenant_id          = data.azurerm_client_config.current.tenant_id
    azure_rbac_enabled = true
  }

  # Tokens of Kubernetes accounts are worth something in Azure (identities.tf).
  oidc_issuer_enabled       = true
  workload_identity_enabled = true

  private_cluster_enabled = local.private

  dynamic "api_server_access_profile" {
    for_each = !local.private && length(var.api_access) > 0 ? [true] : []

    content {
      # The nodes call the API server by way of the NAT gateway, so its address is among them.
      authorized_ip_ranges = concat(var.api_access, [for address in local.outbound_addresses : "${address}/32"])
    }
  }

  # An identity that is there before the cluster, since it needs its role in the subnet first.
  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.cluster.id]
  }

  network_profile {
    network_plugin      = "azure"
    network_plugin_mode = "overlay"
    network_data_plane  = "cilium"
    network_policy      = "cilium"
    load_balancer_sku   = "standard"
    # Without a gateway the nodes share the address of the cluster's load balancer.
    outbound_type  = var.network.nat == "none" ? "loadBalancer" : "userAssignedNATGateway"
    pod_cidr       = local.pods_cidr
    service_cidr   = local.services_cidr
    dns_service_ip = cidrhost(local.services_cidr, 10)
  }

  # Pools are the ones of cluster.yaml; Azure adds none of its own.
  node_provisioning_profile {
    mode = "Manual"
  }

  default_node_pool {
    name                        = var.pool_names[var.system_pool]
    temporary_name_for_rotation = local.rotation_names[var.system_pool]
    vm_size                     = var.nodes[var.system_pool].size
    os_disk_size_gb             = var.nodes[var.system_pool].disk
    orchestrator_version        = lookup(var.defaults, "pool/${var.pool_names[var.system_pool]}", local.version)
    max_pods                    = local.pods_per_node
    vnet_subnet_id              = local.subnet_id
    zones                       = local.zones
    node_labels                 = var.nodes[var.system_pool].labels
    tags                        = var.tags

    # A pool that scales has no count here, so what the autoscaler does is no difference.
    auto_scaling_enabled = var.nodes[var.system_pool].max != null
    node_count           = var.nodes[var.system_pool].count
    min_count            = var.nodes[var.system_pool].min
    max_count            = var.nodes[var.system_pool].max

    upgrade_settings {
      max_surge = "10%"
    }
  }

  # Terraform removes in the reverse order: role and way out are there until the cluster is gone.
  depends_on = [azurerm_role_assignment.subnet]
}
