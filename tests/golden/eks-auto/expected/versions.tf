terraform {
  # 1.10 is the first that locks a state in the bucket itself (use_lockfile).
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # What is written here means the same in both majors.
      version = ">= 5.100, < 7"
    }
  }

  # Its settings come with `terraform init -backend-config`; karrots takes them from karrots.yaml.
  backend "s3" {}
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
