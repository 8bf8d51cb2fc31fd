"""VPCs and their parts: one network per stack, a peering between production and staging of a region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scanner.demo.fleet import REGIONS, Stack, Tags, pairs

_ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, slots=True)
class Network:
    """What the rest of a stack is built into."""

    vpc: str
    subnets: tuple[str, ...]
    group: str
    inside_group: str


def tagged(kind: str, tags: Tags) -> list[dict[str, Any]]:
    """Tags in the form in which EC2 takes them while it creates something."""
    return [{"ResourceType": kind, "Tags": pairs(tags)}]


def seed_network(ec2: Any, stack: Stack, number: int) -> Network:
    """Build the stack's VPC with subnets, routes, gateways and security groups."""
    prefix = f"10.{REGIONS.index(stack.region) * 10 + number}"
    vpc = ec2.create_vpc(CidrBlock=f"{prefix}.0.0/16", TagSpecifications=tagged("vpc", stack.tags(stack.name)))
    vpc_id: str = vpc["Vpc"]["VpcId"]
    subnets = tuple(_subnet(ec2, stack, vpc_id, f"{prefix}.{part}.0/24", zone) for part, zone in ((1, "a"), (2, "b")))
    _routes(ec2, stack, vpc_id, subnets)
    public = _group(ec2, stack, vpc_id, "public", 443, {"CidrIp": _ANYWHERE, "Description": "the world"})
    inside = _group(ec2, stack, vpc_id, "inside", 5432, {"CidrIp": f"{prefix}.0.0/16", "Description": "the VPC"})
    if stack.is_production:
        _production_parts(ec2, stack, vpc_id, subnets)
    return Network(vpc_id, subnets, public, inside)


def seed_peering(ec2: Any, stack: Stack, networks: list[Network]) -> None:
    """Join the first two networks of a region."""
    joined = ec2.create_vpc_peering_connection(
        VpcId=networks[0].vpc,
        PeerVpcId=networks[1].vpc,
        TagSpecifications=tagged("vpc-peering-connection", stack.tags(f"{stack.name}-peering")),
    )
    peering = joined["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)


def _subnet(ec2: Any, stack: Stack, vpc: str, cidr: str, zone: str) -> str:
    made = ec2.create_subnet(
        VpcId=vpc,
        CidrBlock=cidr,
        AvailabilityZone=f"{stack.region}{zone}",
        TagSpecifications=tagged("subnet", stack.tags(f"{stack.name}-{zone}")),
    )
    subnet: str = made["Subnet"]["SubnetId"]
    return subnet


def _routes(ec2: Any, stack: Stack, vpc: str, subnets: tuple[str, ...]) -> None:
    gateway = ec2.create_internet_gateway(TagSpecifications=tagged("internet-gateway", stack.tags(stack.name)))
    gateway_id = gateway["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway_id, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc, TagSpecifications=tagged("route-table", stack.tags(stack.name)))
    table_id = table["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table_id, DestinationCidrBlock=_ANYWHERE, GatewayId=gateway_id)
    for subnet in subnets:
        ec2.associate_route_table(RouteTableId=table_id, SubnetId=subnet)


def _group(ec2: Any, stack: Stack, vpc: str, role: str, port: int, source: dict[str, str]) -> str:
    name = f"{stack.name}-{role}"
    made = ec2.create_security_group(
        GroupName=name,
        Description=f"{role} traffic of {stack.app}",
        VpcId=vpc,
        TagSpecifications=tagged("security-group", stack.tags(name)),
    )
    rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [source]}
    ec2.authorize_security_group_ingress(GroupId=made["GroupId"], IpPermissions=[rule])
    group: str = made["GroupId"]
    return group


def _production_parts(ec2: Any, stack: Stack, vpc: str, subnets: tuple[str, ...]) -> None:
    address = ec2.allocate_address(
        Domain="vpc", TagSpecifications=tagged("elastic-ip", stack.tags(f"{stack.name}-nat"))
    )
    ec2.create_nat_gateway(
        SubnetId=subnets[0],
        AllocationId=address["AllocationId"],
        TagSpecifications=tagged("natgateway", stack.tags(stack.name)),
    )
    ec2.create_network_acl(VpcId=vpc, TagSpecifications=tagged("network-acl", stack.tags(stack.name)))
    options = ec2.create_dhcp_options(
        DhcpConfigurations=[{"Key": "domain-name", "Values": [f"{stack.app}.example.com"]}],
        TagSpecifications=tagged("dhcp-options", stack.tags(stack.name)),
    )
    ec2.associate_dhcp_options(DhcpOptionsId=options["DhcpOptions"]["DhcpOptionsId"], VpcId=vpc)
    ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.{stack.region}.s3",
        VpcEndpointType="Gateway",
        TagSpecifications=tagged("vpc-endpoint", stack.tags(f"{stack.name}-s3")),
    )
    ec2.create_network_interface(
        SubnetId=subnets[1],
        Description=f"standby address of {stack.app}",
        TagSpecifications=tagged("network-interface", stack.tags(f"{stack.name}-standby")),
    )
