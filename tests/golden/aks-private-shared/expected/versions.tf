terraform {
  required_version = ">= 1.6"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
  }

  # karrots serves the state on loopback while it runs Terraform, and names address and password in TF_HTTP_*.
  # To use this root by hand, put another backend here (karrots identity writes the variables it needs).
  backend "http" {}
}

provider "azurerm" {
  subscription_id = var.account

  # Nothing is registered unless it is named.
  resource_provider_registrations = "none"
  resource_providers_to_register = [
    "Microsoft.Compute",
    "Microsoft.ContainerService",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.Storage",
  ]

  features {
    # A cluster whose making is interrupted is in the state all the same, and can be finished or removed.
    persist_id_on_create_before_polling_for_completion = true

    resource_group {
      # The group is the cluster's own: what a controller left in it goes with it.
      prevent_deletion_if_contains_resources = false
    }
  }
}
