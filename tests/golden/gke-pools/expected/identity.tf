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
  type = string
}

variable "cluster_network" {
  description = "Address range leased from the fleet's pool. How it is divided is said in ranges.tf."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.cluster_network)) && try(tonumber(split("/", var.cluster_network)[1]) >= 14 && tonumber(split("/", var.cluster_network)[1]) <= 22, false)
    error_message = "GKE takes a range from /14 to /22: services may have at most a /16, and a smaller one holds fewer than four nodes."
  }
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
  description = "Id of the Google Cloud project."
  type        = string
}

variable "api_access" {
  description = "Address ranges that may reach the API server; empty: whoever IAM lets in, from anywhere."
  type        = list(string)
}

variable "names" {
  description = "Names that keep to Google's limits, made by karrots from the cluster's name and id."
  type = object({
    cluster      = string
    prefix       = string
    node_account = string
    dns_account  = string
  })
}

variable "tags" {
  description = "Labels for everything the cluster has."
  type        = map(string)
}

variable "shared_network" {
  description = "The parent's network, as its output `shared_network` gives it; null when the cluster has its own."
  type = object({
    network        = string
    subnetwork     = string
    pods_range     = string
    services_range = optional(string)
  })
}

variable "defaults" {
  description = "On a branch, what cluster.yaml leaves open and the parent has: the full version of Kubernetes."
  type        = map(string)
}
