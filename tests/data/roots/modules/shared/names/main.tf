variable "prefix" {
  type = string
}

output "network" {
  value = "${var.prefix}-${trimspace(file("${path.module}/suffix.txt"))}"
}
