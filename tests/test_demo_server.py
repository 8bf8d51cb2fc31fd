"""The demo's server: its fleet, its one refusal, where it mends moto, and that it never outlives its owner."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from scanner.demo import DemoServer, DemoServerError
from scanner.demo.fleet import BASE_ACCOUNT, DENIED, HOSTILE_VALUES, REGIONS, SECOND_ACCOUNT
from scanner.demo.truth import Seen, inventory, sessions

_ROOT = Path(__file__).parents[1]

_TYPES = set(
    """
ec2:instance ec2:volume ec2:snapshot ec2:image ec2:security-group ec2:key-pair ec2:launch-template ec2:elastic-ip
ec2:network-interface ec2:natgateway ec2:vpc ec2:subnet ec2:internet-gateway ec2:route-table ec2:network-acl
ec2:dhcp-options ec2:vpc-peering-connection ec2:vpc-endpoint s3:bucket ecs:cluster ecs:service ecs:task-definition
ecs:capacity-provider ecs:container-instance elasticloadbalancing:loadbalancer elasticloadbalancing:targetgroup
elasticloadbalancing:listener elasticloadbalancing:listener-rule autoscaling:autoScalingGroup
autoscaling:launchConfiguration autoscaling:scalingPolicy rds:db rds:cluster rds:snapshot rds:cluster-snapshot
elasticfilesystem:file-system lambda:function iam:role iam:user iam:policy iam:instance-profile sqs:queue sns:topic
dynamodb:table kms:key logs:log-group eks:cluster eks:nodegroup
""".split()  # noqa: SIM905 (a list of 48 lines says no more)
)

_PARENT = """
import json, time
from scanner.demo import DemoServer
server = DemoServer.start()
print(json.dumps(server.environment()), flush=True)
time.sleep(3600)
"""


def _client(demo_server: DemoServer, account: str, service: str, region: str = REGIONS[0]) -> Any:
    return sessions(demo_server.environment())[account].client(
        service, region_name=region, endpoint_url=demo_server.url
    )


def test_the_fleet_has_over_a_thousand_resources_of_every_type_in_every_region(demo_fleet: list[Seen]) -> None:
    assert len(demo_fleet) == len(set(demo_fleet)) > 1000
    assert {seen.resource_type for seen in demo_fleet} == _TYPES
    assert {(seen.account, seen.region) for seen in demo_fleet} == {
        (account, region) for account in (BASE_ACCOUNT, SECOND_ACCOUNT) for region in (*REGIONS, "global")
    }


def test_about_a_third_of_the_fleet_is_production(demo_server: DemoServer, demo_fleet: list[Seen]) -> None:
    found: Counter[str] = Counter()
    for session in sessions(demo_server.environment()).values():
        for region in REGIONS:
            api = session.client("resourcegroupstaggingapi", region_name=region, endpoint_url=demo_server.url)
            for page in api.get_paginator("get_resources").paginate(TagFilters=[{"Key": "Environment"}]):
                for one in page["ResourceTagMappingList"]:
                    found[{tag["Key"]: tag["Value"] for tag in one["Tags"]}["Environment"]] += 1
    assert set(found) == {"Production", "Staging", "Development"}
    assert 0.25 < found["Production"] / len(demo_fleet) < 0.4


def test_nothing_of_one_account_is_seen_in_the_other(demo_fleet: list[Seen]) -> None:
    ours, theirs = (
        {seen.identity for seen in demo_fleet if seen.account == one} for one in (BASE_ACCOUNT, SECOND_ACCOUNT)
    )
    assert ours.isdisjoint(theirs)


def test_one_call_is_denied_in_the_words_of_aws_and_its_neighbours_are_not(demo_server: DemoServer) -> None:
    denied = _client(demo_server, SECOND_ACCOUNT, "rds", DENIED.region)
    with pytest.raises(ClientError) as caught:
        denied.describe_db_cluster_snapshots()
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert answer["Error"] == {
        "Type": "Sender",
        "Code": "AccessDenied",
        "Message": "User: arn:aws:sts::444455556666:assumed-role/aws-scanner-readonly/truth is not authorized to "
        "perform: rds:DescribeDBClusterSnapshots on resource: "
        "arn:aws:rds:ap-southeast-2:444455556666:cluster-snapshot:* because no identity-based policy allows the "
        "rds:DescribeDBClusterSnapshots action",
    }
    assert denied.describe_db_snapshots()["DBSnapshots"]
    for account, region in ((SECOND_ACCOUNT, REGIONS[0]), (BASE_ACCOUNT, DENIED.region)):
        assert _client(demo_server, account, "rds", region).describe_db_cluster_snapshots()["DBClusterSnapshots"]


def test_sts_refuses_an_access_key_that_nobody_gave_out(demo_server: DemoServer) -> None:
    sts = _client(demo_server, BASE_ACCOUNT, "sts")
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{BASE_ACCOUNT}:user/machines/inventory"
    stranger = demo_server.environment() | {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        sessions(stranger)


def test_hostile_tag_values_are_in_the_fleet(demo_server: DemoServer) -> None:
    found: set[str] = set()
    for region in REGIONS:
        for volume in _client(demo_server, BASE_ACCOUNT, "ec2", region).describe_volumes()["Volumes"]:
            found.update(tag["Value"] for tag in volume.get("Tags", ()) if tag["Key"] == "Owner")
    assert found == set(HOSTILE_VALUES)


def test_an_account_has_the_regions_of_the_fleet_enabled_and_no_others(demo_server: DemoServer) -> None:
    answer = _client(demo_server, BASE_ACCOUNT, "ec2").describe_regions()
    assert sorted(one["RegionName"] for one in answer["Regions"]) == sorted(REGIONS)


def test_each_region_lists_its_own_buckets_and_a_page_size_loses_none(demo_server: DemoServer) -> None:
    s3 = _client(demo_server, BASE_ACCOUNT, "s3")
    everything = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    by_region = [
        [bucket["Name"] for bucket in s3.list_buckets(BucketRegion=region, MaxBuckets=2)["Buckets"]]
        for region in REGIONS
    ]
    assert sorted(name for names in by_region for name in names) == sorted(everything)
    assert all(name.endswith(region) for region, names in zip(REGIONS, by_region, strict=True) for name in names)


def test_the_tagging_api_tells_a_region_only_its_own_buckets(demo_server: DemoServer) -> None:
    api = _client(demo_server, BASE_ACCOUNT, "resourcegroupstaggingapi", "eu-west-1")
    pages = api.get_paginator("get_resources").paginate(ResourceTypeFilters=["s3"])
    arns = [one["ResourceARN"] for page in pages for one in page["ResourceTagMappingList"]]
    assert arns
    assert all(arn.endswith("-eu-west-1") for arn in arns)


def test_calls_that_moto_cannot_answer_are_answered(demo_server: DemoServer) -> None:
    providers = _client(demo_server, BASE_ACCOUNT, "ecs").describe_capacity_providers()["capacityProviders"]
    assert [one["name"] for one in providers] == ["web-production-workers"]
    iam = _client(demo_server, BASE_ACCOUNT, "iam")
    tags = iam.list_instance_profile_tags(InstanceProfileName="web-instance")["Tags"]
    assert {"Key": "Application", "Value": "web"} in tags
    urls = _client(demo_server, BASE_ACCOUNT, "sqs").list_queues()["QueueUrls"]
    assert f"https://sqs.us-east-1.amazonaws.com/{BASE_ACCOUNT}/web-production-jobs" in urls


def test_requests_are_counted_by_client_and_operation(demo_server: DemoServer) -> None:
    asked = {
        ("elb", "DescribeLoadBalancers"): "describe_load_balancers",
        ("elbv2", "DescribeLoadBalancers"): "describe_load_balancers",
        ("efs", "DescribeFileSystems"): "describe_file_systems",
        ("s3", "ListBuckets"): "list_buckets",
        ("logs", "DescribeLogGroups"): "describe_log_groups",
        ("lambda", "ListFunctions"): "list_functions",
    }
    before = Counter(demo_server.calls())
    for (service, _), method in asked.items():
        getattr(_client(demo_server, BASE_ACCOUNT, service), method)()
    now = Counter(demo_server.calls())
    assert {call: now[call] - before[call] for call in asked} == dict.fromkeys(asked, 1)


def test_the_environment_leads_to_the_server_and_away_from_the_users_own_configuration(demo_server: DemoServer) -> None:
    environment = demo_server.environment()
    assert environment["AWS_ENDPOINT_URL"] == demo_server.url
    assert demo_server.url.startswith("http://127.0.0.1:")
    assert environment["AWS_CONFIG_FILE"] == environment["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull


def test_a_port_in_use_is_an_error_that_says_so(demo_server: DemoServer) -> None:
    with pytest.raises(DemoServerError, match="port"):
        DemoServer.start(int(demo_server.url.rpartition(":")[2]))


def test_two_fleets_are_alike_to_the_last_id_and_a_server_ends_when_its_parent_is_killed(
    demo_fleet: list[Seen],
) -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, cwd=_ROOT) as parent:
        assert parent.stdout is not None
        environment = json.loads(parent.stdout.readline())
        try:
            assert inventory(environment) == demo_fleet
        finally:
            parent.kill()
    assert _nobody_listens(environment["AWS_ENDPOINT_URL"])


def test_a_server_ends_on_sigterm_and_when_its_stdin_is_closed_even_while_it_is_being_seeded() -> None:
    command = [sys.executable, "-m", "scanner.demo.process"]
    for end, code in ((subprocess.Popen.terminate, -signal.SIGTERM), (subprocess.Popen.communicate, 0)):
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT) as child:
            end(child)
        assert child.returncode == code


def _nobody_listens(url: str) -> bool:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))).close()
        except ConnectionRefusedError:
            return True
        except OSError:
            pass  # the server went while it was answering
        time.sleep(0.1)
    return False
