# Content, from cluster.auto.tfvars.json: the same for every cluster made from this directory.

variable "kubernetes_version" {
  description = "Kubernetes minor version the content is written for."
  type        = string
}

variable "nodes" {
  description = "Node pools by name. The engine simulates nodes and makes as many as the pools start with."
  type = map(object({
    size  = optional(string)
    count = optional(number)
    min   = optional(number)
    max   = optional(number)
  }))
}
