# Identity, from identity.auto.tfvars.json: what belongs to one cluster alone. karrots writes that file into each
# run's own folder and never into git. None has a default, so that a missing one is an error and not a guess.

variable "cluster_id" {
  description = "The cluster's own id; its name may be used again, the id may not."
  type        = string
}

variable "cluster_name" {
  type = string
}

variable "cluster_domain" {
  description = "The domain of the cluster, which it may write DNS records below."
  type        = string
}

variable "cluster_network" {
  description = "Address range leased from the fleet's pool."
  type        = string
}

variable "cluster_branch" {
  type = string
}

variable "cluster_parent" {
  description = "Name of the cluster this one was branched from, empty when it was made from nothing."
  type        = string
}

variable "cluster_owner" {
  type = string
}

variable "cluster_expires" {
  description = "Time in UTC after which the cluster may be destroyed, empty when it stays."
  type        = string
}

variable "region" {
  type = string
}

variable "account" {
  description = "The AWS account it is made in."
  type        = string
}

variable "api_access" {
  description = "Address ranges that may reach the API server; none: all may."
  type        = list(string)
}

variable "names" {
  description = "Names that keep to every limit of AWS: of the cluster, and what the names of all else begin with."
  type = object({
    cluster = string
    prefix  = string
  })
}

variable "tags" {
  description = "What tells whose everything is."
  type        = map(string)
}

variable "shared_network" {
  description = "The parent's network, for network.mode shared; null where the cluster has its own."
  type = object({
    vpc_id     = string
    subnet_ids = list(string)
  })
}

variable "defaults" {
  description = "On a branch, what cluster.yaml leaves open and the parent has: versions of add-ons by name."
  type        = map(string)
}
