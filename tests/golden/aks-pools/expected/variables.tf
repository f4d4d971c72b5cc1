# Content, from cluster.auto.tfvars.json: the same for every cluster made from this directory.

variable "kubernetes_version" {
  description = "Kubernetes minor version. Azure chooses the newest patch it has of it; a branch begins with its parent's."
  type        = string
}

variable "nodes" {
  description = "Node pools by name: either `count`, or `min` and `max`."
  type = map(object({
    size   = optional(string, "Standard_D4s_v5")
    count  = optional(number)
    min    = optional(number)
    max    = optional(number)
    spot   = optional(bool, false)
    disk   = optional(number)
    labels = optional(map(string), {})
    taints = optional(list(object({
      key    = string
      value  = optional(string, "")
      effect = optional(string, "NoSchedule")
    })), [])
  }))
}

variable "pool_names" {
  description = "What each pool is called in Azure, which takes 12 small letters and digits."
  type        = map(string)
}

variable "system_pool" {
  description = "The pool that Azure's own pods run on. Another one here makes the cluster anew."
  type        = string
}

variable "network" {
  description = "Shape of the network; the addresses are part of the identity."
  type = object({
    mode  = string
    zones = number
    nat   = string
    api   = string
  })
}

variable "aks" {
  type = object({
    tier = string
  })
}
