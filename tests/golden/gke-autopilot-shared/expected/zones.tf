# All zones and not only those that are up now: a zone with a bad day must not move the cluster.
data "google_compute_zones" "region" {
  region = var.region

  lifecycle {
    postcondition {
      condition     = length(self.names) >= var.network.zones
      error_message = "${var.region} has ${length(self.names)} zones, cluster.yaml wants ${var.network.zones} (network.zones)."
    }
  }
}

locals {
  zones = slice(sort(data.google_compute_zones.region.names), 0, var.network.zones)
}
