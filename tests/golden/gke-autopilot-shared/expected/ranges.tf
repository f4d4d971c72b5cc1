# How the leased range is divided, in a /20 as an example:
#
#   pods      first half        /21   2048 addresses
#   services  third quarter     /22   1024 services
#   nodes     seventh eighth    /23    508 nodes and internal load balancers
#   proxies   last eighth       /23   what Gateways of the regional classes run on
#
# GKE reserves twice as many addresses on a node as it may have pods. 64 pods a node take a /25, so that half of a /20
# holds 16 nodes with 1024 pods; each step of the prefix doubles or halves that.
locals {
  pods_cidr     = cidrsubnet(var.cluster_network, 1, 0)
  services_cidr = cidrsubnet(var.cluster_network, 2, 2)
  nodes_cidr    = cidrsubnet(var.cluster_network, 3, 6)
  proxies_cidr  = cidrsubnet(var.cluster_network, 3, 7)
  pods_per_node = 64
}
