terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }

  backend "s3" {}
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { team = "shop" }
  }
}

variable "region" {
  type = string
}

variable "zones" {
  type    = number
  default = 3
}

data "aws_availability_zones" "here" {
  state = "available"
}

data "aws_caller_identity" "me" {}

resource "aws_vpc" "this" {
  cidr_block = "10.0.0.0/16"
  tags       = { Name = "this" }
}

resource "aws_subnet" "this" {
  count = var.zones

  vpc_id            = aws_vpc.this.id
  availability_zone = data.aws_availability_zones.here.names[count.index]
  cidr_block        = cidrsubnet(aws_vpc.this.cidr_block, 4, count.index)
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["eks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "cluster" {
  name               = "cluster"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_eks_cluster" "this" {
  name     = "this"
  role_arn = aws_iam_role.cluster.arn

  access_config {
    authentication_mode = "API"
  }

  vpc_config {
    subnet_ids = aws_subnet.this[*].id
  }
}

output "ca" {
  value = base64decode(aws_eks_cluster.this.certificate_authority[0].data)
}

output "tags" {
  value = aws_vpc.this.tags_all
}

output "account" {
  value = data.aws_caller_identity.me.account_id
}
