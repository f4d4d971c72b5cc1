# What external-dns and cert-manager may do: change records in the zones that the cluster's domain is below. They use
# an account of this cluster alone, since a grant to a Kubernetes account holds in every cluster of the project that has
# one of that name, and would go with the first of them.

resource "google_service_account" "dns" {
  account_id   = var.names.dns_account
  display_name = "DNS records of ${var.cluster_name}"
  description  = "karrots-id: ${var.cluster_id}"
}

resource "google_service_account_iam_member" "dns" {
  for_each = toset(["external-dns/external-dns", "cert-manager/cert-manager"])

  service_account_id = google_service_account.dns.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.account}.svc.id.goog[${each.value}]"

  # The project has an identity pool from its first cluster on.
  depends_on = [google_container_cluster.cluster]
}

data "google_dns_managed_zones" "project" {}

locals {
  dns_zones = toset([
    for zone in data.google_dns_managed_zones.project.managed_zones : zone.name
    if endswith(".${var.cluster_domain}.", ".${zone.dns_name}")
  ])
}

resource "google_dns_managed_zone_iam_member" "dns" {
  for_each = local.dns_zones

  managed_zone = each.value
  role         = "roles/dns.admin"
  member       = google_service_account.dns.member
}

# Both look for the zone by its name, which is asked of the project.
resource "google_project_iam_member" "dns" {
  project = var.account
  role    = "roles/dns.reader"
  member  = google_service_account.dns.member
}
