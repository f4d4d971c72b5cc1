# A network of its own.

locals {
  # EKS wants subnets in two zones, also where nodes are to be in one.
  zone_count = max(2, var.network.zones)

  # The first three zones get a quarter of the range each for nodes and pods, the next three a sixteenth, and every zone
  # a small public subnet: of a /20 that is /22, /24 and /27. Ranges stay as they are when zones are added.
  ranges        = cidrsubnets(var.cluster_network, 2, 2, 2, 4, 4, 4, 7, 7, 7, 7, 7, 7)
  node_ranges   = slice(local.ranges, 0, 6)
  public_ranges = slice(local.ranges, 6, 12)

  vpc_id                   = aws_vpc.cluster.id
  control_plane_subnet_ids = aws_subnet.nodes[*].id
  node_subnet_ids          = slice(aws_subnet.nodes[*].id, 0, var.network.zones)

  # Each zone's own keeps nodes online when another zone fails, and costs as many times as much.
  nat_count = var.network.nat == "per-zone" ? var.network.zones : 1
}

data "aws_availability_zones" "usable" {
  state = "available"

  # Local and wavelength zones have to be opted in to, and EKS puts no control plane there.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }

  # Nor in these: https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
  exclude_zone_ids = ["use1-az3", "usw1-az2", "cac1-az3"]

  lifecycle {
    postcondition {
      condition     = length(self.names) >= local.zone_count
      error_message = "${var.region} has ${length(self.names)} zones for EKS and network.zones of cluster.yaml needs ${local.zone_count}."
    }
  }
}

resource "aws_vpc" "cluster" {
  cidr_block           = var.cluster_network
  enable_dns_hostnames = true # nodes find the API server's private address by it

  tags = {
    Name = var.names.prefix
  }

  lifecycle {
    precondition {
      # A VPC holds no more than a /16, and load balancers want no less than a /27 of a public subnet.
      condition     = contains(range(16, 21), tonumber(split("/", var.cluster_network)[1]))
      error_message = "EKS needs a range from /16 to /20, not ${var.cluster_network}: change addresses.prefix in karrots.yaml."
    }
  }
}

# Whatever is made without a group of its own gets this one: it lets nothing in and nothing out.
resource "aws_default_security_group" "cluster" {
  vpc_id = aws_vpc.cluster.id

  tags = {
    Name = "${var.names.prefix}-unused"
  }
}

resource "aws_internet_gateway" "cluster" {
  vpc_id = aws_vpc.cluster.id

  tags = {
    Name = var.names.prefix
  }
}

# Nodes, pods, and the control plane's network interfaces.
resource "aws_subnet" "nodes" {
  count = local.zone_count

  vpc_id            = aws_vpc.cluster.id
  cidr_block        = local.node_ranges[count.index]
  availability_zone = data.aws_availability_zones.usable.names[count.index]

  tags = {
    Name = "${var.names.prefix}-nodes-${count.index}"
    # Where controllers put internal load balancers.
    "kubernetes.io/role/internal-elb" = "1"
  }

  lifecycle {
    # A zone that AWS adds, or leaves out for a while, must not move the subnets of a living cluster.
    ignore_changes = [availability_zone]
  }
}

# Load balancers that face outwards, and NAT.
resource "aws_subnet" "public" {
  count = local.zone_count

  vpc_id            = aws_vpc.cluster.id
  cidr_block        = local.public_ranges[count.index]
  availability_zone = data.aws_availability_zones.usable.names[count.index]

  tags = {
    Name                     = "${var.names.prefix}-public-${count.index}"
    "kubernetes.io/role/elb" = "1"
  }

  lifecycle {
    ignore_changes = [availability_zone]
  }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.cluster.id

  tags = {
    Name = "${var.names.prefix}-public"
  }
}

resource "aws_route" "public" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.cluster.id
}

resource "aws_route_table_association" "public" {
  count = local.zone_count

  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public.id
}

resource "aws_eip" "nat" {
  count = local.nat_count

  domain = "vpc"

  tags = {
    Name = "${var.names.prefix}-nat-${count.index}"
  }

  # An address of a VPC that has lost its gateway cannot be given back.
  depends_on = [aws_internet_gateway.cluster]
}

resource "aws_nat_gateway" "nat" {
  count = local.nat_count

  allocation_id = aws_eip.nat[count.index].id
  subnet_id     = aws_subnet.public[count.index].id

  tags = {
    Name = "${var.names.prefix}-${count.index}"
  }

  # Its own way out, which has to stay at a destroy for as long as it does.
  depends_on = [aws_route.public, aws_route_table_association.public]
}

resource "aws_route_table" "nodes" {
  count = local.nat_count

  vpc_id = aws_vpc.cluster.id

  tags = {
    Name = "${var.names.prefix}-nodes-${count.index}"
  }
}

resource "aws_route" "nodes" {
  count = local.nat_count

  route_table_id         = aws_route_table.nodes[count.index].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.nat[count.index].id
}

resource "aws_route_table_association" "nodes" {
  count = local.zone_count

  subnet_id      = aws_subnet.nodes[count.index].id
  route_table_id = aws_route_table.nodes[min(count.index, local.nat_count - 1)].id
}

# Costs nothing, and image layers (ECR keeps them in S3) need not pass NAT, which is paid by the gigabyte.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.cluster.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = aws_route_table.nodes[*].id

  tags = {
    Name = "${var.names.prefix}-s3"
  }
}
