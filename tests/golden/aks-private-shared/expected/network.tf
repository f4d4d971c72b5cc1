# The parent's subnet, with its NAT gateway: nothing here is made or removed with this cluster.
locals {
  subnet_id          = var.shared_network.subnet_id
  outbound_addresses = var.shared_network.outbound_addresses
}
