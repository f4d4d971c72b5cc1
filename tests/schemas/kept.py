"""Which types the recordings in tests/data/schemas keep: what the templates use, and what stands near it.

Names or patterns of names; resources and data sources alike.
"""

from __future__ import annotations

import fnmatch
import re

KEPT = {
    "aws": """
        aws_vpc aws_vpc_* aws_subnet aws_subnets aws_route aws_route_table aws_route_table_association
        aws_main_route_table_association aws_nat_gateway aws_eip aws_internet_gateway aws_security_group
        aws_security_groups aws_security_group_rule aws_default_security_group aws_default_tags aws_launch_template
        aws_flow_log aws_eks_* aws_ec2_tag aws_ec2_instance_type_offerings
        aws_iam_role aws_iam_role_* aws_iam_policy aws_iam_policy_document aws_iam_instance_profile
        aws_iam_openid_connect_provider aws_iam_session_context
        aws_route53_zone aws_route53_zones aws_route53_record aws_acm_certificate aws_acm_certificate_validation
        aws_s3_bucket aws_s3_bucket_versioning aws_s3_bucket_server_side_encryption_configuration
        aws_s3_bucket_public_access_block aws_s3_bucket_policy aws_s3_object
        aws_lb aws_lbs aws_lb_listener aws_lb_target_group aws_autoscaling_group_tag aws_sqs_queue
        aws_sqs_queue_policy aws_kms_key aws_kms_alias aws_cloudwatch_log_group aws_cloudwatch_event_rule
        aws_cloudwatch_event_target aws_availability_zones aws_caller_identity aws_partition aws_region
        aws_ami aws_ssm_parameter
    """,
    "google": """
        google_container_* google_compute_network google_compute_networks google_compute_subnetwork
        google_compute_subnetworks google_compute_router google_compute_router_nat google_compute_address
        google_compute_addresses google_compute_global_address google_compute_firewall google_compute_route
        google_compute_zones google_compute_regions google_dns_* google_service_account google_service_account_*
        google_project_iam_member google_project_iam_binding google_project_iam_custom_role google_project_service
        google_project google_client_config google_kms_key_ring google_kms_crypto_key google_storage_bucket
        google_gke_hub_membership google_netblock_ip_ranges
    """,
    "azurerm": """
        azurerm_resource_group azurerm_virtual_network azurerm_subnet azurerm_kubernetes_* azurerm_route_table
        azurerm_subnet_route_table_association azurerm_user_assigned_identity
        azurerm_federated_identity_credential azurerm_role_assignment azurerm_role_definition azurerm_dns_*
        azurerm_private_dns_zone azurerm_private_dns_zone_virtual_network_link azurerm_public_ip azurerm_public_ips
        azurerm_nat_gateway azurerm_nat_gateway_public_ip_association azurerm_subnet_nat_gateway_association
        azurerm_subnet_network_security_group_association azurerm_network_security_group azurerm_client_config
        azurerm_subscription azurerm_resources azurerm_resource_provider_registration
        azurerm_log_analytics_workspace azurerm_key_vault azurerm_storage_account azurerm_storage_container
        azurerm_monitor_diagnostic_setting azurerm_management_lock
    """,
}


def is_kept(name: str) -> bool:
    """`name` with the provider's prefix."""
    patterns = KEPT.get(name.partition("_")[0], "").split()
    return any(re.fullmatch(fnmatch.translate(pattern), name) for pattern in patterns)
