terraform {
  required_version = ">= 1.6"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.50, < 9.0"
    }
  }

  # karrots serves the state on loopback while it runs Terraform, and names address and password in TF_HTTP_*.
  # To use this root by hand, put another backend here (karrots identity writes the variables it needs).
  backend "http" {}
}

provider "google" {
  project        = var.account
  region         = var.region
  default_labels = var.tags
}
