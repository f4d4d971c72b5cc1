# Content, from cluster.auto.tfvars.json: the same for every cluster made from this directory.

variable "kubernetes_version" {
  description = "Kubernetes minor version."
  type        = string
}

variable "nodes" {
  description = "Node pools by name: either count, or min and max. EKS Auto Mode makes nodes by itself and does not read it."
  type = map(object({
    size   = optional(string, "m6i.large")
    count  = optional(number)
    min    = optional(number)
    max    = optional(number)
    spot   = optional(bool, false)
    disk   = optional(number, 50) # GiB; the 20 that EKS gives fill up with images
    labels = optional(map(string), {})
    taints = optional(list(object({
      key    = string
      value  = optional(string, "")
      effect = optional(string, "NoSchedule")
    })), [])
  }))
}

variable "network" {
  description = "Shape of the network; no addresses, which belong to one cluster."
  type = object({
    mode  = string # own | shared
    zones = number # with nodes in them
    nat   = string # single | per-zone | none
    api   = string # public | private
  })
}

variable "eks" {
  description = "What only EKS has. An add-on that is not named gets the parent's version, else EKS's own."
  type = object({
    auto_mode = optional(bool, false)
    addons    = optional(map(string), {})
  })
}
