# An account for the nodes alone: the project's default one may edit everything.
resource "google_service_account" "nodes" {
  account_id   = var.names.node_account
  display_name = "Nodes of ${var.cluster_name}"
  description  = "karrots-id: ${var.cluster_id}"
}

resource "google_project_iam_member" "nodes" {
  for_each = toset([
    "roles/container.defaultNodeServiceAccount", # logs and metrics
    "roles/artifactregistry.reader",             # images of the project's own registries
  ])

  project = var.account
  role    = each.value
  member  = google_service_account.nodes.member
}
