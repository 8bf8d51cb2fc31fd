"""A fleet that others made: plain moto, seeded by plain boto3. All of it is found once, for hardly more than it takes.

The measure is independent of the catalog: every list operation asked by boto3's own paginators with AWS's largest
pages, every ARN as the API says it, or (EC2, S3 ...) as AWS documents it. ECS is scanned apart: what its lists give are
bare ARNs, so that a describe call per batch comes on top; its capacity providers are left out, because plain moto
answers DescribeCapacityProviders without names, as AWS allows it, with 500.
"""

from __future__ import annotations

import io
import math
import os
import subprocess
import sys
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import jmespath
import pytest
from botocore.config import Config

from tests.conftest import Bench, records

ROOT = Path(__file__).parents[1]
REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "ap-southeast-2")
KEYS = {"AWS_ACCESS_KEY_ID": "plain", "AWS_SECRET_ACCESS_KEY": "plain"}
_EC2 = "arn:aws:ec2:{region}:123456789012:"
_ENI = f"{_EC2}network-interface"

# type, operation, items on a page, ARN (an expression on an item, or a template), AWS's largest page, under which type
_LISTS = f"""
ec2:instance describe_instances Reservations[].Instances[].InstanceId {_EC2}instance/{{it}} 1000
ec2:volume describe_volumes Volumes[].VolumeId {_EC2}volume/{{it}} 500
ec2:network-interface describe_network_interfaces NetworkInterfaces[].NetworkInterfaceId {_ENI}/{{it}} 1000
ec2:vpc describe_vpcs Vpcs[].VpcId {_EC2}vpc/{{it}} 1000
ec2:subnet describe_subnets Subnets[].SubnetArn {{it}} 1000
ec2:security-group describe_security_groups SecurityGroups[].GroupId {_EC2}security-group/{{it}} 1000
ec2:internet-gateway describe_internet_gateways InternetGateways[].InternetGatewayId {_EC2}internet-gateway/{{it}} 1000
ec2:key-pair describe_key_pairs KeyPairs[].KeyPairId {_EC2}key-pair/{{it}} 0
ec2:elastic-ip describe_addresses Addresses[].AllocationId {_EC2}elastic-ip/{{it}} 0
sqs:queue list_queues QueueUrls[] arn:aws:sqs:{{region}}:123456789012:{{tail}} 1000
sns:topic list_topics Topics[].TopicArn {{it}} 0
logs:log-group describe_log_groups logGroups[].logGroupArn {{it}} 50
dynamodb:table list_tables TableNames[] arn:aws:dynamodb:{{region}}:123456789012:table/{{it}} 100
lambda:function list_functions Functions[].FunctionArn {{it}} 50
rds:db describe_db_instances DBInstances[].DBInstanceArn {{it}} 100
elbv2:loadbalancer describe_load_balancers LoadBalancers[].LoadBalancerArn {{it}} 400
elbv2:listener describe_listeners Listeners[].ListenerArn {{it}} 400 LoadBalancerArn=elbv2:loadbalancer
"""
_GLOBAL = """
iam:role list_roles Roles[].Arn {it} 1000
iam:user list_users Users[].Arn {it} 1000
"""
_ECS = """
ecs:cluster list_clusters clusterArns[] {it} 100
ecs:service list_services serviceArns[] {it} 100 cluster=ecs:cluster
"""


@dataclass
class Moto:
    """The server, and boto3 clients to it."""

    url: str
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def client(self, service: str, region: str) -> Any:
        if (service, region) not in self._clients:
            self._clients[service, region] = boto3.client(
                service,  # type: ignore[call-overload]
                region_name=region,
                endpoint_url=self.url,
                aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
                config=Config(parameter_validation=False),
            )
        return self._clients[service, region]

    def requests(self) -> int:
        with urllib.request.urlopen(f"{self.url}/_count") as answer:
            return int(answer.read())


@dataclass
class Truth:
    """What is there, by type and region, and the fewest requests that list it."""

    arns: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    fewest: int = 0

    def all(self) -> list[str]:
        return sorted(arn for arns in self.arns.values() for arn in arns)


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
    # Without the last, moto invents 1,301 snapshots and images of other accounts.
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.motoserver"], cwd=ROOT, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, env={**kept, "MOTO_EC2_LOAD_DEFAULT_AMIS": "false"},
    )  # fmt: skip
    assert child.stdout
    server = Moto(child.stdout.readline().strip())
    assert server.url, "moto did not start"
    yield server
    child.terminate()
    child.communicate()


@pytest.fixture(scope="module")
def fleet(moto: Moto) -> list[str]:
    """Seed; what the create calls said they made, by id, name or ARN."""
    iam = moto.client("iam", REGIONS[0])
    made = [iam.create_role(RoleName=f"role-{n}", AssumeRolePolicyDocument="{}")["Role"]["Arn"] for n in range(20)]
    made += [iam.create_user(UserName=f"user-{n}")["User"]["Arn"] for n in range(20)]
    for region in REGIONS:
        made += _seed_ec2(moto.client("ec2", region), region)
        made += _seed_messages(moto, region)
        made += _seed_data(moto, region)
        made += _seed_functions(moto.client("lambda", region), made[0])
        made += _seed_balancers(moto, region)
        made += _seed_ecs(moto.client("ecs", region))
    return made


def _seed_ec2(ec2: Any, region: str) -> Iterator[str]:
    for number in range(2):
        vpc = ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"]
        yield vpc
        for at in range(4):
            yield ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.{number}.{at}.0/24")["Subnet"]["SubnetArn"]
        for at in range(8):
            yield ec2.create_security_group(GroupName=f"group-{at}", Description="-", VpcId=vpc)["GroupId"]
        yield ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    image = "ami-0123456789abcdef0"
    for _ in range(2):
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        started = ec2.run_instances(ImageId=image, MinCount=13, MaxCount=13, SubnetId=subnet)["Instances"]
        yield from (one["InstanceId"] for one in started)
    for number in range(10):
        yield ec2.create_volume(AvailabilityZone=f"{region}a", Size=8)["VolumeId"]
        yield ec2.create_key_pair(KeyName=f"key-{number}", KeyType="ed25519")["KeyPairId"]
        yield ec2.allocate_address(Domain="vpc")["AllocationId"]


def _seed_messages(moto: Moto, region: str) -> Iterator[str]:
    sqs, sns, logs = (moto.client(name, region) for name in ("sqs", "sns", "logs"))
    for number in range(20):
        yield sqs.create_queue(QueueName=f"queue-{number}")["QueueUrl"].rsplit("/", 1)[-1]
        yield sns.create_topic(Name=f"topic-{number}")["TopicArn"]
    for number in range(60):  # more than a page
        logs.create_log_group(logGroupName=f"/fleet/{number}")
        yield f"log-group:/fleet/{number}"


def _seed_data(moto: Moto, region: str) -> Iterator[str]:
    s3, rds, dynamodb = (moto.client(name, region) for name in ("s3", "rds", "dynamodb"))
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    for number in range(10):
        s3.create_bucket(Bucket=f"fleet-{region}-{number}", **where)
        yield f"arn:aws:s3:::fleet-{region}-{number}"
        name = f"table-{number}"
        keys = {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}], "BillingMode": "PAY_PER_REQUEST"}
        types = [{"AttributeName": "id", "AttributeType": "S"}]
        yield dynamodb.create_table(TableName=name, AttributeDefinitions=types, **keys)["TableDescription"]["TableArn"]
    for number in range(4):
        engine = {"Engine": "postgres", "DBInstanceClass": "db.t3.micro", "AllocatedStorage": 20}
        named = rds.create_db_instance(DBInstanceIdentifier=f"db-{number}", **engine)
        yield named["DBInstance"]["DBInstanceArn"]


def _seed_functions(functions: Any, role: str) -> Iterator[str]:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("main.py", "def run(event, context): ...")
    for number in range(8):
        code = {"Code": {"ZipFile": packed.getvalue()}, "Runtime": "python3.13", "Handler": "main.run", "Role": role}
        yield functions.create_function(FunctionName=f"function-{number}", **code)["FunctionArn"]


def _seed_balancers(moto: Moto, region: str) -> Iterator[str]:
    elbv2, subnets = moto.client("elbv2", region), moto.client("ec2", region).describe_subnets()["Subnets"]
    places = {one["AvailabilityZone"]: one["SubnetId"] for one in subnets if one["DefaultForAz"]}
    for number in range(3):
        made = elbv2.create_load_balancer(Name=f"balancer-{number}", Subnets=sorted(places.values())[:2])
        arn = made["LoadBalancers"][0]["LoadBalancerArn"]
        yield arn
        answer = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
        for port in (80, 81):
            told = {"LoadBalancerArn": arn, "Protocol": "HTTP", "Port": port, "DefaultActions": [answer]}
            yield elbv2.create_listener(**told)["Listeners"][0]["ListenerArn"]


def _seed_ecs(ecs: Any) -> Iterator[str]:
    task = {"family": "web", "containerDefinitions": [{"name": "web", "image": "web", "memory": 64}]}
    ecs.register_task_definition(**task)
    for number in range(2):
        cluster = ecs.create_cluster(clusterName=f"cluster-{number}")["cluster"]["clusterArn"]
        yield cluster
        for at in range(12):  # more than one describe_services takes
            told = {"cluster": cluster, "serviceName": f"service-{at}", "taskDefinition": "web", "desiredCount": 0}
            yield ecs.create_service(**told)["service"]["serviceArn"]


def _look(moto: Moto, table: str, regions: tuple[str, ...]) -> Truth:
    """Everything in a table of lists, by boto3's own paginators."""
    truth = Truth()
    for region in regions:
        for row in table.strip().splitlines():
            name, operation, items, arn, size, *under = row.split()
            client = moto.client(name.split(":")[0], region)
            parameter, _, above = under[0].partition("=") if under else ("", "", "")
            for parent in truth.arns[above, region] if under else [""]:
                pages = list(_pages(client, operation, {parameter: parent} if under else {}, int(size)))
                found = [str(it) for page in pages for it in jmespath.search(items, page) or []]
                assert len(pages) == max(1, math.ceil(len(found) / (int(size) or 100))), f"{name}: {len(pages)} pages"
                truth.fewest += len(pages)
                named = [arn.format(it=it, tail=it.rsplit("/", 1)[-1], region=region) for it in found]
                truth.arns.setdefault((name, region), []).extend(named)
    return truth


def _pages(client: Any, operation: str, params: dict[str, str], size: int) -> Iterator[dict[str, Any]]:
    if not client.can_paginate(operation):
        return iter([getattr(client, operation)(**params)])
    config = {"PageSize": size} if size else {}
    pages: Iterator[dict[str, Any]] = iter(client.get_paginator(operation).paginate(**params, PaginationConfig=config))
    return pages


@pytest.fixture(scope="module")
def truth(moto: Moto, fleet: list[str]) -> Truth:
    """The twenty types of the fleet."""
    found, once = _look(moto, _LISTS, REGIONS), _look(moto, _GLOBAL, REGIONS[:1])
    buckets = moto.client("s3", REGIONS[0]).list_buckets()["Buckets"]
    found.arns |= once.arns | {("s3:bucket", "-"): [f"arn:aws:s3:::{one['Name']}" for one in buckets]}
    found.fewest += once.fewest + 1  # one request lists the buckets of all regions
    return found


def _scan(bench: Bench, moto: Moto, services: list[str]) -> tuple[list[dict[str, Any]], int]:
    """The records of a scan without enrichment, and the requests it took."""
    profile = bench.profile(moto.url, services=services, regions=list(REGIONS), enrich="none")
    before = moto.requests()
    done = bench.run("scan", profile, "--no-cache", **KEYS)
    assert done.returncode == 0, done.stderr
    return records(bench.snapshot()), moto.requests() - before


def _types(truth: Truth) -> list[str]:
    return sorted({name for name, _ in truth.arns})


def test_the_fleet_is_as_large_as_it_is_said_to_be(truth: Truth, fleet: list[str]) -> None:
    assert len(_types(truth)) == 20
    assert 1150 <= len(truth.all()) <= 1250
    there = " ".join(truth.all())
    assert [one for one in fleet if one not in there and ":ecs:" not in one] == []


def test_every_resource_is_found_once_none_missing_none_invented(bench: Bench, moto: Moto, truth: Truth) -> None:
    found, requests = _scan(bench, moto, _types(truth))
    assert sorted(str(record["resource_arn"]) for record in found) == truth.all()
    by_region = Counter(record["region"] for record in found if record["service"] not in ("iam", "s3"))
    said = Counter({region: 0 for region in REGIONS})
    for (name, region), arns in truth.arns.items():
        said[region] += len(arns) if name.split(":")[0] not in ("iam", "s3") else 0
    assert by_region == {region: count for region, count in said.items() if count}
    buckets = Counter(record["region"] for record in found if record["service"] == "s3")
    assert buckets == dict.fromkeys(REGIONS, 10)
    assert requests <= 1.15 * truth.fewest, f"{requests} requests for what {truth.fewest} can list"
    # To the last one: who are we, and each region's buckets in that region's own answer.
    assert requests == truth.fewest + 1 + len(REGIONS) - 1


def test_what_lists_give_as_bare_arns_costs_one_describe_per_batch(bench: Bench, moto: Moto, fleet: list[str]) -> None:
    truth = _look(moto, _ECS, REGIONS)
    found, requests = _scan(bench, moto, _types(truth))
    assert sorted(str(record["resource_arn"]) for record in found) == truth.all()
    assert {arn for arn in fleet if ":ecs:" in arn} == set(truth.all())
    # In each region: both clusters together, and of each cluster ten services and two.
    assert requests == 1 + truth.fewest + len(REGIONS) * (1 + 2 * 2)
