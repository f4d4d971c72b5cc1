resource "azurerm_virtual_network" "cluster" {
  name                = var.names.resource_group
  resource_group_name = azurerm_resource_group.cluster.name
  location            = azurerm_resource_group.cluster.location
  address_space       = [var.cluster_network]
  tags                = var.tags
}

resource "azurerm_subnet" "nodes" {
  name                 = "nodes"
  resource_group_name  = azurerm_resource_group.cluster.name
  virtual_network_name = azurerm_virtual_network.cluster.name
  address_prefixes     = [local.nodes_cidr]

  # The way out is the one chosen below and no other.
  default_outbound_access_enabled = false
}

# A gateway of the second generation is in all zones at once, so `per-zone` needs no more than one of it.
resource "azurerm_public_ip" "nat" {
  name                = "nat"
  resource_group_name = azurerm_resource_group.cluster.name
  location            = azurerm_resource_group.cluster.location
  allocation_method   = "Static"
  sku                 = var.network.nat == "per-zone" ? "StandardV2" : "Standard"
  tags                = var.tags
}

resource "azurerm_nat_gateway" "cluster" {
  name                = "nat"
  resource_group_name = azurerm_resource_group.cluster.name
  location            = azurerm_resource_group.cluster.location
  sku_name            = var.network.nat == "per-zone" ? "StandardV2" : "Standard"
  tags                = var.tags
}

resource "azurerm_nat_gateway_public_ip_association" "cluster" {
  nat_gateway_id       = azurerm_nat_gateway.cluster.id
  public_ip_address_id = azurerm_public_ip.nat.id
}

resource "azurerm_subnet_nat_gateway_association" "nodes" {
  subnet_id      = azurerm_subnet.nodes.id
  nat_gateway_id = azurerm_nat_gateway.cluster.id
}

locals {
  subnet_id = azurerm_subnet.nodes.id

  outbound_addresses = [azurerm_public_ip.nat.ip_address]
}
