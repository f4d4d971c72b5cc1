terraform {
  # 1.6 and up behave alike here; OpenTofu counts its versions from the same point.
  required_version = ">= 1.6"

  # karrots serves the state on loopback while it runs Terraform, and names address and password in TF_HTTP_*.
  # To use this root by hand, put another backend here (karrots identity writes the variables it needs).
  backend "http" {}
}
