# Content, from cluster.auto.tfvars.json: the same for every cluster made from this directory.

variable "kubernetes_version" {
  description = "Kubernetes minor version. Google chooses the patch that the release channel has of it; a branch begins with its parent's."
  type        = string
}

variable "nodes" {
  description = "Node pools by name: either `count`, or `min` and `max`, in all zones together. Autopilot has none."
  type = map(object({
    size   = optional(string, "e2-standard-4")
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

variable "network" {
  description = "Shape of the network; the addresses are part of the identity."
  type = object({
    mode  = string
    zones = number
    nat   = string
    api   = string
  })
}

variable "gke" {
  type = object({
    autopilot = bool
    channel   = string
  })
}
