terraform {
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }

  cloud {
    organization = "example"
  }
}

module "names" {
  source = "../shared/names"
  prefix = "qa"
}

resource "google_compute_network" "this" {
  name = module.names.network
}
