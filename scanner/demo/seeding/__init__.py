"""Builds the demo fleet inside moto's own process, where a call costs half of what it costs over HTTP."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from scanner.demo.clock import Clock
from scanner.demo.fleet import ACCOUNTS, BASE_ACCOUNT, RANDOM_SEED, REGIONS, Stack, stacks
from scanner.demo.seeding.balancing import seed_balancing, seed_classic_balancer
from scanner.demo.seeding.compute import seed_compute, seed_leftovers, seed_scaling
from scanner.demo.seeding.containers import seed_capacity, seed_ecs, seed_eks
from scanner.demo.seeding.corrections import settle
from scanner.demo.seeding.data import (
    seed_buckets,
    seed_databases,
    seed_file_system,
    seed_keys,
    seed_tables,
    seed_untagged_bucket,
)
from scanner.demo.seeding.identity import seed_caller, seed_identity
from scanner.demo.seeding.network import Network, seed_network, seed_peering
from scanner.demo.seeding.serverless import seed_functions, seed_messaging

Clients = Callable[[str], Any]


def seed_fleet(clock: Clock) -> tuple[str, str]:
    """Seed moto's backends in this process with the whole fleet; returns an access key of the base account.

    One thread and one seed for moto's ids, so that two fleets are alike to the last id.
    """
    import boto3
    from moto import mock_aws
    from moto.moto_api._internal import mock_random

    mock_random.seed(RANDOM_SEED)
    mock = mock_aws()
    mock.start()
    try:
        session = boto3.Session(aws_access_key_id="seeding", aws_secret_access_key="seeding")  # noqa: S106
        # Roles first: Lambda checks that a function's role exists.
        key = _seed_global(session)
        for region in REGIONS:
            _seed_region(session, region, clock)
        return key
    finally:
        mock.stop(remove_data=False)


def _seed_region(session: Any, region: str, clock: Clock) -> None:
    clients = _clients(session, region)
    for account in ACCOUNTS:
        with _as_account(account):
            networks = []
            for number, stack in enumerate(stacks(account, region)):
                clock.move_on()
                networks.append(_seed_stack(clients, stack, number))
                settle(account, region, clock.now())
            seed_peering(clients("ec2"), next(stacks(account, region)), networks)
            seed_leftovers(clients("ec2"), region)
            seed_untagged_bucket(clients("s3"), account, region)
            settle(account, region, clock.now())


def _seed_stack(clients: Clients, stack: Stack, number: int) -> Network:
    network = seed_network(clients("ec2"), stack, number)
    instances = seed_compute(clients("ec2"), stack, network)
    group = seed_scaling(clients("autoscaling"), stack, network)
    if stack.environment == "Development":
        seed_classic_balancer(clients("elb"), stack, network, instances)
    else:
        target_group = seed_balancing(clients("elbv2"), stack, network, instances)
        seed_ecs(clients("ecs"), stack, target_group, instances)
    seed_buckets(clients("s3"), stack)
    seed_databases(clients("rds"), stack, network)
    seed_tables(clients("dynamodb"), stack)
    seed_functions(clients("lambda"), clients("logs"), stack)
    seed_messaging(clients("sqs"), clients("sns"), clients("logs"), stack)
    if stack.is_production:
        # Only there: moto spends 50 ms on a key.
        seed_keys(clients("kms"), stack)
        seed_file_system(clients("efs"), stack)
        seed_capacity(clients("ecs"), stack, group)
        seed_eks(clients("eks"), stack, network)
    return network


def _seed_global(session: Any) -> tuple[str, str]:
    iam = session.client("iam", region_name=REGIONS[0])
    for account in ACCOUNTS:
        with _as_account(account):
            seed_identity(iam, account, list(stacks(account, REGIONS[0])))
    with _as_account(BASE_ACCOUNT):
        return seed_caller(iam)


@contextmanager
def _as_account(account: str) -> Iterator[None]:
    # moto reads this variable before it looks at the access key: one set of clients serves all accounts.
    os.environ["MOTO_ACCOUNT_ID"] = account
    try:
        yield
    finally:
        del os.environ["MOTO_ACCOUNT_ID"]


def _clients(session: Any, region: str) -> Clients:
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in made:
            made[service] = session.client(service, region_name=region)
        return made[service]

    return client
