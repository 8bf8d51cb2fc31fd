"""The fake AWS, asked by real boto3: true pages, parents, accounts and faults for every type of the catalog."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import jmespath
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from scanner.aws.calls import Lane
from scanner.aws.clients import Clients
from scanner.aws.operations import Parts, prepare
from scanner.aws.settings import DoorSettings
from scanner.catalog import load_catalog
from scanner.catalog.spec import ResourceType
from scanner.collectors.ledger import Ledger
from scanner.collectors.services import Pools, TypeScan
from scanner.errors import GapError, ReadOnlyViolation
from scanner.fakeaws import FakeAws, Fleet, Rule
from scanner.model import Account, Keys, Outcome, Unit

KEYS = Keys("AKIA111122223333", "x")
ACCOUNT = Account("111122223333", "aws", "arn:aws:iam::111122223333:user/scanner")


@pytest.fixture(scope="module")
def server() -> Iterator[FakeAws]:
    with FakeAws(Fleet(items=3, page_size=2)) as fake:
        yield fake


@pytest.fixture(scope="module")
def denying() -> Iterator[FakeAws]:
    with FakeAws(Fleet(items=3, page_size=2), (Rule("deny"),)) as fake:
        yield fake


@pytest.fixture(scope="module")
def clients(server: FakeAws) -> Clients:
    return Clients(DoorSettings(endpoint_url=server.url, max_attempts=1), load_catalog().operations())


@pytest.fixture(scope="module")
def denied_clients(denying: FakeAws) -> Clients:
    return Clients(DoorSettings(endpoint_url=denying.url, max_attempts=1), load_catalog().operations())


def _unit(kind: ResourceType) -> Unit:
    return Unit(ACCOUNT, "us-east-1", "us-east-1", "services", kind.service, (kind.kind,))


def _scan(kind: ResourceType, clients: Clients) -> tuple[list[dict[str, Any]], Ledger]:
    unit, pool = _unit(kind), Pools(ThreadPoolExecutor(2), ThreadPoolExecutor(2))
    lane = Lane(clients.get(KEYS, "us-east-1", kind.service), DoorSettings(max_attempts=1))
    ledger = Ledger(unit)
    parents: list[dict[str, Any]] = []
    chain = [kind]
    while chain[0].of_parent:
        chain.insert(0, load_catalog().type_of(kind.service, chain[0].of_parent))
    for one in chain[:-1]:
        above = TypeScan(unit, one, lane, Ledger(unit), pool, keep_parents=True)
        above.list_only(parents)
        parents = above.parents
    return list(TypeScan(unit, kind, lane, ledger, pool).run(parents)), ledger


TYPES = [pytest.param(kind, id=f"{kind.service}:{kind.kind}") for kind in load_catalog().types]


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_is_listed_over_two_pages_and_under_each_parent(
    kind: ResourceType, clients: Clients, server: FakeAws
) -> None:
    before = server.calls.copy()
    found, ledger = _scan(kind, clients)
    depth = {"listener-rule": 12, "listener": 6, "service": 6, "container-instance": 6, "nodegroup": 6}
    assert len({record["resource_arn"] for record in found}) == len(found) == depth.get(kind.kind, 3)
    assert {cell.outcome for cell in ledger.cells({})} == {Outcome.OK}
    asked = server.calls - before
    pages = asked["111122223333", "us-east-1", kind.service, kind.list.operation]
    one_page = not kind.list.input_tokens
    assert pages == (
        1
        if one_page
        else {"listener-rule": 6, "listener": 3, "service": 3, "container-instance": 3, "nodegroup": 3}.get(
            kind.kind, 2
        )
    )


@pytest.mark.parametrize("kind", TYPES)
def test_a_denial_of_every_type_is_a_gap(kind: ResourceType, denied_clients: Clients) -> None:
    lane = Lane(denied_clients.get(KEYS, "us-east-1", kind.service), DoorSettings(max_attempts=1))
    with pytest.raises(GapError) as caught:
        lane.once(kind.list, _params(kind))
    assert caught.value.outcome == "denied"


def _params(kind: ResourceType) -> dict[str, Any]:
    return {name: "x" if "{parent." in str(value) else value for name, value in kind.list.params.items()}


def _client(server: FakeAws, service: str, access_key: str = "AKIA111122223333") -> Any:
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=server.url,
        aws_access_key_id=access_key,
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.mark.parametrize(
    ("service", "operation", "codes"),
    [
        ("ec2", "describe_vpcs", ["UnauthorizedOperation", "RequestLimitExceeded"]),
        ("s3", "list_buckets", ["AccessDenied", "SlowDown"]),
        ("ecs", "list_clusters", ["AccessDeniedException", "ThrottlingException"]),
        ("eks", "list_clusters", ["AccessDeniedException", "ThrottlingException"]),
        ("iam", "list_roles", ["AccessDenied", "Throttling"]),
    ],
)
def test_faults_are_worded_as_each_protocol_does(service: str, operation: str, codes: list[str]) -> None:
    with FakeAws(Fleet(), (Rule("deny", times=1), Rule("throttle", times=1))) as fake:
        client, said = _client(fake, service), []
        for _ in codes:
            with pytest.raises(ClientError) as caught:
                getattr(client, operation)()
            said.append(caught.value.response["Error"]["Code"])
        assert said == codes


def test_a_role_of_another_account_sees_that_account(server: FakeAws) -> None:
    role = "arn:aws:iam::444455556666:role/reader"
    keys = _client(server, "sts").assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]
    found = _client(server, "sqs", keys["AccessKeyId"]).list_queues()["QueueUrls"]
    assert {url.split("/")[3] for url in found} == {"444455556666"}


def test_a_token_of_another_query_is_refused(server: FakeAws) -> None:
    ecs = _client(server, "ecs")
    token = ecs.list_clusters()["nextToken"]
    with pytest.raises(ClientError, match="InvalidNextToken"):
        ecs.list_task_definitions(nextToken=token)


def test_a_parent_that_is_not_there_is_an_error(server: FakeAws) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        _client(server, "ecs").list_services(cluster="cluster-00999")


def test_what_a_batched_get_does_not_find_is_named(server: FakeAws) -> None:
    arn = "arn:aws:ecs:us-east-1:111122223333:cluster/cluster-{}"
    answer = _client(server, "ecs").describe_clusters(clusters=[arn.format("00001"), arn.format("09999")])
    assert jmespath.search("[length(clusters), failures[0].reason]", answer) == [1, "MISSING"]


def test_tag_filters_are_applied_by_the_server(server: FakeAws) -> None:
    tagging = _client(server, "resourcegroupstaggingapi")
    found = [
        one
        for page in tagging.get_paginator("get_resources").paginate(
            TagFilters=[{"Key": "Environment", "Values": ["Staging"]}]
        )
        for one in page["ResourceTagMappingList"]
    ]
    assert {tag["Value"] for one in found for tag in one["Tags"] if tag["Key"] == "Environment"} == {"Staging"}


def test_a_client_does_not_even_have_operations_outside_the_allow_list(clients: Clients) -> None:
    client = clients.get(KEYS, "us-east-1", "ec2")
    allowed = {method for service, method in load_catalog().operations() if service == "ec2"}
    assert set(client.meta.method_to_api_mapping) == allowed
    assert not hasattr(client, "terminate_instances")


def test_an_operation_outside_the_allow_list_is_not_sent(server: FakeAws) -> None:
    before = sum(server.calls.values())
    # Nothing of this service is allowed, so its model is whole: the guard is what stands.
    clients = Clients(DoorSettings(endpoint_url=server.url), frozenset({("s3", "list_buckets")}))
    with pytest.raises(ReadOnlyViolation, match="ec2:terminate_instances"):
        clients.get(KEYS, "us-east-1", "ec2").terminate_instances(InstanceIds=["i-1"])
    with pytest.raises(ReadOnlyViolation, match="ec2:terminate_instances"):
        prepare(Parts(clients.get(KEYS, "us-east-1", "ec2")), "terminate_instances")({"InstanceIds": ["i-1"]})
    assert sum(server.calls.values()) == before
