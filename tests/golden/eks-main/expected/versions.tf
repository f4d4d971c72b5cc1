terraform {
  required_version = ">= 1.6"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # What is written here means the same in both majors.
      version = ">= 5.100, < 7"
    }
  }

  # karrots serves the state on loopback while it runs Terraform, and names address and password in TF_HTTP_*.
  # To use this root by hand, put another backend here (karrots identity writes the variables it needs).
  backend "http" {}
}

provider "aws" {
  region = var.region

  # A login to another account stops here, before anything is read or made.
  allowed_account_ids = [var.account]

  # Reaches everything below. What others make for us (instances, volumes, load balancers) is told by name: nodes.tf,
  # addons.tf.
  default_tags {
    tags = var.tags
  }
}

# Another partition (China, GovCloud) has other ARNs.
data "aws_partition" "current" {}
