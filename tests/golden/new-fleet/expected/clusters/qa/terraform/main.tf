# A Kubernetes control plane on this computer: etcd, API server, controllers and Flux as processes on loopback.
# terraform_data is built into Terraform, so nothing is downloaded; its provisioners call the engine.

locals {
  node_count = sum([for pool in values(var.nodes) : pool.count != null ? pool.count : pool.min])
}

# Owns the cluster's life, and only its end does anything. Nothing can fail while it is created, so it is never
# tainted: Terraform does not run destroy provisioners of tainted resources, and a half-made cluster would stay.
resource "terraform_data" "cluster" {
  input            = var.cluster_id
  triggers_replace = var.cluster_id

  provisioner "local-exec" {
    when    = destroy
    command = "exec \"$${KARROTS_PYTHON:-python3}\" -m karrots.engine down --id \"$ID\""

    environment = {
      ID = self.input
    }
  }
}

# Brings the processes up, or up to date. `up` may be called again on a running cluster, so a changed value
# replaces this resource and leaves the cluster and its data as they are.
resource "terraform_data" "control_plane" {
  triggers_replace = {
    cluster    = terraform_data.cluster.id
    name       = var.cluster_name
    repository = var.repository
    nodes      = local.node_count
  }

  provisioner "local-exec" {
    # Values travel as environment variables: the command line stays the same text whatever they hold.
    command = "exec \"$${KARROTS_PYTHON:-python3}\" -m karrots.engine up --id \"$ID\" --name \"$NAME\" --repository \"$REPOSITORY\" --nodes \"$NODES\""

    environment = {
      ID         = var.cluster_id
      NAME       = var.cluster_name
      REPOSITORY = var.repository
      NODES      = local.node_count
    }
  }
}
