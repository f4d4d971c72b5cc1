# Only nodes have addresses of the leased range: they get its first half, in a /20 2043 of 2048 addresses (Azure keeps
# five). The second half stays free, for private endpoints and what else a cluster may want beside its nodes.
#
# Pods are in an overlay and services are nowhere but on the nodes, so their ranges are the same in every cluster. Each
# node takes a /24 of the pods': there are 1024. They must not meet the leased range.
#
# A node holds back 20 MB for each pod that it may have, up to a quarter of its memory. The 250 that an overlay has by
# itself would be that quarter on most machines.
# https://learn.microsoft.com/azure/aks/node-resource-reservations
locals {
  nodes_cidr    = cidrsubnet(var.cluster_network, 1, 0)
  shared_space  = startswith(var.cluster_network, "100.")
  pods_cidr     = local.shared_space ? "10.240.0.0/14" : "100.64.0.0/14"
  services_cidr = local.shared_space ? "10.244.0.0/20" : "100.68.0.0/20"
  pods_per_node = 110
}
