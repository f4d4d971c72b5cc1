terraform {
  required_version = ">= 1.6"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.50, < 9.0"
    }
  }

  # Bucket and prefix are given at `terraform init` with -backend-config.
  backend "gcs" {}
}

provider "google" {
  project        = var.account
  region         = var.region
  default_labels = var.tags
}
