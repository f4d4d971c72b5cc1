locals {
  # By id and not by name, which would be a lookup at every plan.
  # https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
  roles = {
    for name, id in {
      network_contributor = "4d97b98b-1d4f-4787-a291-c67834d212e7"
      cluster_admin       = "b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b" # Azure Kubernetes Service RBAC Cluster Admin
      dns_contributor     = "befefa01-2a29-4197-83a8-272ff33ce314" # DNS Zone Contributor
      reader              = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
    } : name => "/subscriptions/${var.account}/providers/Microsoft.Authorization/roleDefinitions/${id}"
  }

  # Roles take no tags. By this a sweep knows them when their identities are gone.
  mark = "karrots-id=${var.cluster_id}"
}

# The control plane: it puts nodes and internal load balancers into the subnet.
resource "azurerm_user_assigned_identity" "cluster" {
  name                = var.names.identity
  resource_group_name = azurerm_resource_group.cluster.name
  location            = azurerm_resource_group.cluster.location
  tags                = var.tags
}

resource "azurerm_role_assignment" "subnet" {
  scope              = local.subnet_id
  role_definition_id = local.roles.network_contributor
  principal_id       = azurerm_user_assigned_identity.cluster.principal_id
  description        = local.mark
  principal_type     = "ServicePrincipal"
}

# Whoever makes the cluster may use it; being its owner in Azure is not enough for that. Others get the same role from
# the subscription, or from here.
data "azurerm_client_config" "current" {}

resource "azurerm_role_assignment" "creator" {
  scope              = azurerm_kubernetes_cluster.cluster.id
  role_definition_id = local.roles.cluster_admin
  principal_id       = data.azurerm_client_config.current.object_id
  description        = local.mark

  lifecycle {
    # A colleague's apply does not take it away.
    ignore_changes = [principal_id]
  }
}

# external-dns and cert-manager: change records in the zones that the cluster's domain is below. One identity a cluster,
# since an identity trusts at most 20 accounts of Kubernetes.
resource "azurerm_user_assigned_identity" "dns" {
  name                = "${var.names.identity}-dns"
  resource_group_name = azurerm_resource_group.cluster.name
  location            = azurerm_resource_group.cluster.location
  tags                = var.tags
}

resource "azurerm_federated_identity_credential" "dns" {
  for_each = {
    external-dns = "external-dns"
    cert-manager = "cert-manager"
  }

  name                      = each.key
  user_assigned_identity_id = azurerm_user_assigned_identity.dns.id
  issuer                    = azurerm_kubernetes_cluster.cluster.oidc_issuer_url
  subject                   = "system:serviceaccount:${each.key}:${each.value}"
  audience                  = ["api://AzureADTokenExchange"]
}

data "azurerm_resources" "dns" {
  type = "Microsoft.Network/dnsZones"
}

locals {
  dns_zones = toset([
    for zone in data.azurerm_resources.dns.resources : zone.id
    if endswith(".${var.cluster_domain}", ".${zone.name}")
  ])
  # /subscriptions/<id>/resourceGroups/<name>: both look for the zone in its group.
  dns_groups = toset([for id in local.dns_zones : join("/", slice(split("/", id), 0, 5))])
}

resource "azurerm_role_assignment" "dns_zone" {
  for_each = local.dns_zones

  scope              = each.value
  role_definition_id = local.roles.dns_contributor
  principal_id       = azurerm_user_assigned_identity.dns.principal_id
  description        = local.mark
  principal_type     = "ServicePrincipal"
}

resource "azurerm_role_assignment" "dns_group" {
  for_each = local.dns_groups

  scope              = each.value
  role_definition_id = local.roles.reader
  principal_id       = azurerm_user_assigned_identity.dns.principal_id
  description        = local.mark
  principal_type     = "ServicePrincipal"
}
