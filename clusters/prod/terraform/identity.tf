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
  description = "Address range leased from the fleet's pool. The engine's pods have no network, so it is only kept."
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

variable "repository" {
  description = "Absolute git directory that the engine serves to Flux, read-only."
  type        = string
}

variable "engine_home" {
  description = "Folder that holds the engine's clusters on this computer."
  type        = string
}
