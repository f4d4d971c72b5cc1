# What karrots makes is in this group. Azure makes a second one, for machines, disks and load balancers, and removes it
# with the cluster; it is named here so that leftovers are easily found.
resource "azurerm_resource_group" "cluster" {
  name     = var.names.resource_group
  location = var.region
  tags     = var.tags
}
