variable "file" {
  type = string
}

resource "terraform_data" "it" {
  provisioner "local-exec" {
    command = "touch ${var.file}"
  }
}
