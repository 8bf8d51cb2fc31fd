"""What the demo fleet really holds, asked with plain boto3 and no catalog: the measure that a scan is held against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Any

from scanner.demo.fleet import BASE_ACCOUNT, DENIED, REGIONS, ROLE_ARN, SECOND_ACCOUNT, Asked

# client, resource type, operation, items, identity, and the parameter that names a parent, with the parent's kind
_REGIONAL = """
ec2 ec2:instance describe_instances Reservations[].Instances[] InstanceId
ec2 ec2:volume describe_volumes Volumes[] VolumeId
ec2 ec2:snapshot describe_snapshots Snapshots[] SnapshotId
ec2 ec2:image describe_images Images[] ImageId
ec2 ec2:security-group describe_security_groups SecurityGroups[] GroupId
ec2 ec2:key-pair describe_key_pairs KeyPairs[] KeyPairId
ec2 ec2:launch-template describe_launch_templates LaunchTemplates[] LaunchTemplateId
ec2 ec2:elastic-ip describe_addresses Addresses[] AllocationId
ec2 ec2:network-interface describe_network_interfaces NetworkInterfaces[] NetworkInterfaceId
ec2 ec2:natgateway describe_nat_gateways NatGateways[] NatGatewayId
ec2 ec2:vpc describe_vpcs Vpcs[] VpcId
ec2 ec2:subnet describe_subnets Subnets[] SubnetId
ec2 ec2:internet-gateway describe_internet_gateways InternetGateways[] InternetGatewayId
ec2 ec2:route-table describe_route_tables RouteTables[] RouteTableId
ec2 ec2:network-acl describe_network_acls NetworkAcls[] NetworkAclId
ec2 ec2:dhcp-options describe_dhcp_options DhcpOptions[] DhcpOptionsId
ec2 ec2:vpc-peering-connection describe_vpc_peering_connections VpcPeeringConnections[] VpcPeeringConnectionId
ec2 ec2:vpc-endpoint describe_vpc_endpoints VpcEndpoints[] VpcEndpointId
s3 s3:bucket list_buckets Buckets[] Name
ecs ecs:cluster list_clusters clusterArns[] @
ecs ecs:service list_services serviceArns[] @ cluster cluster
ecs ecs:container-instance list_container_instances containerInstanceArns[] @ cluster cluster
ecs ecs:task-definition list_task_definitions taskDefinitionArns[] @
ecs ecs:capacity-provider describe_capacity_providers capacityProviders[] capacityProviderArn
elb elasticloadbalancing:loadbalancer describe_load_balancers LoadBalancerDescriptions[] LoadBalancerName
elbv2 elasticloadbalancing:loadbalancer describe_load_balancers LoadBalancers[] LoadBalancerArn
elbv2 elasticloadbalancing:targetgroup describe_target_groups TargetGroups[] TargetGroupArn
elbv2 elasticloadbalancing:listener describe_listeners Listeners[] ListenerArn LoadBalancerArn loadbalancer
elbv2 elasticloadbalancing:listener-rule describe_rules Rules[] RuleArn ListenerArn listener
autoscaling autoscaling:autoScalingGroup describe_auto_scaling_groups AutoScalingGroups[] AutoScalingGroupARN
autoscaling autoscaling:launchConfiguration describe_launch_configurations LaunchConfigurations[] LaunchConfigurationARN
autoscaling autoscaling:scalingPolicy describe_policies ScalingPolicies[] PolicyARN
rds rds:db describe_db_instances DBInstances[] DBInstanceArn
rds rds:cluster describe_db_clusters DBClusters[] DBClusterArn
rds rds:snapshot describe_db_snapshots DBSnapshots[] DBSnapshotArn
rds rds:cluster-snapshot describe_db_cluster_snapshots DBClusterSnapshots[] DBClusterSnapshotArn
efs elasticfilesystem:file-system describe_file_systems FileSystems[] FileSystemArn
lambda lambda:function list_functions Functions[] FunctionArn
sqs sqs:queue list_queues QueueUrls[] @
sns sns:topic list_topics Topics[] TopicArn
dynamodb dynamodb:table list_tables TableNames[] @
kms kms:key list_keys Keys[] KeyArn
logs logs:log-group describe_log_groups logGroups[] logGroupName
eks eks:cluster list_clusters clusters[] @
eks eks:nodegroup list_nodegroups nodegroups[] @ clusterName cluster
"""
_GLOBAL = """
iam iam:role list_roles Roles[] Arn
iam iam:user list_users Users[] Arn
iam iam:policy list_policies Policies[] Arn
iam iam:instance-profile list_instance_profiles InstanceProfiles[] Arn
"""
_ONLY_OWN: dict[str, dict[str, Any]] = {
    "describe_snapshots": {"OwnerIds": ["self"]},
    "describe_images": {"Owners": ["self"]},
    "list_policies": {"Scope": "Local"},
}


@dataclass(frozen=True, slots=True)
class Seen:
    """One resource as its service names it: by ARN where the list tells one, else by id, name or URL."""

    account: str
    region: str  # "global" for IAM
    service: str
    resource_type: str
    identity: str


def inventory(environment: Mapping[str, str]) -> list[Seen]:
    """Every resource of both accounts in the demo's regions, once, in order: some 400 requests.

    `environment` is what `DemoServer.environment()` gives. What the server denies cannot be seen and is left out.
    """
    return sorted(_inventory(environment), key=astuple)


def sessions(environment: Mapping[str, str]) -> dict[str, Any]:
    """A boto3 session per account: the base account by its access key, the second by its role."""
    import boto3

    keys = (environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    base = boto3.Session(*keys, region_name=REGIONS[0])
    sts = base.client("sts", endpoint_url=environment["AWS_ENDPOINT_URL"])
    role = sts.assume_role(RoleArn=ROLE_ARN, RoleSessionName="truth")["Credentials"]
    keys = (role["AccessKeyId"], role["SecretAccessKey"])
    second = boto3.Session(*keys, aws_session_token=role["SessionToken"], region_name=REGIONS[0])
    return {BASE_ACCOUNT: base, SECOND_ACCOUNT: second}


def _inventory(environment: Mapping[str, str]) -> Iterator[Seen]:
    url = environment["AWS_ENDPOINT_URL"]
    for account, session in sessions(environment).items():
        for region in REGIONS:
            yield from _place(url, session, account, region, _REGIONAL)
        yield from _place(url, session, account, "global", _GLOBAL)


def _place(url: str, session: Any, account: str, region: str, table: str) -> Iterator[Seen]:
    clients: dict[str, Any] = {}
    found: dict[tuple[str, str], list[str]] = {}
    for row in table.strip().splitlines():
        service, resource_type, operation, items, identity, *parent = row.split()
        if service not in clients:
            place = REGIONS[0] if region == "global" else region
            clients[service] = session.client(service, region_name=place, endpoint_url=url)
        client = clients[service]
        api = client.meta.method_to_api_mapping[operation]
        if Asked(service, api, account, region) == DENIED:
            continue
        params = _ONLY_OWN.get(operation, {}) | ({"BucketRegion": region} if service == "s3" else {})
        each = [params | {parent[0]: one} for one in found[(service, parent[1])]] if parent else [params]
        names = [name for given in each for name in _names(client, operation, given, f"{items}.{identity}")]
        found[(service, resource_type.partition(":")[2])] = names
        yield from (Seen(account, region, service, resource_type, name) for name in names)


def _names(client: Any, operation: str, params: dict[str, Any], path: str) -> list[str]:
    import jmespath

    if client.can_paginate(operation):
        pages = client.get_paginator(operation).paginate(**params)
    else:
        pages = [getattr(client, operation)(**params)]
    return [name for page in pages for name in jmespath.search(path.replace("[].@", "[]"), page) or []]
