"""Where a stack keeps its data: buckets, databases and their snapshots, tables, file systems, keys."""

from __future__ import annotations

import json
from typing import Any

from scanner.demo.fleet import Stack, pairs
from scanner.demo.seeding.network import Network

_MASTER = {"MasterUsername": "master", "MasterUserPassword": "not-a-secret-1"}


def seed_buckets(s3: Any, stack: Stack) -> None:
    """Create the stack's buckets; production's are encrypted, versioned and closed to the public."""
    for purpose in ("assets", "logs", "backup")[: 1 + stack.size]:
        name = f"{stack.name}-{purpose}-{stack.account}-{stack.region}"
        _bucket(s3, name, stack.region)
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": pairs(stack.tags())})
        if stack.is_production:
            _harden(s3, name)


def seed_untagged_bucket(s3: Any, account: str, region: str) -> None:
    """A bucket that somebody made by hand: no tags, no settings."""
    _bucket(s3, f"tmp-{account}-{region}", region)


def seed_databases(rds: Any, stack: Stack, network: Network) -> None:
    """Create the stack's database, in production also a cluster with two members, and snapshots of both."""
    tags = pairs(stack.tags())
    _database(rds, stack, f"{stack.name}-db", network, AllocatedStorage=100, Engine="postgres", **_MASTER)
    for turn in ("daily", "before-upgrade")[: stack.size]:
        rds.create_db_snapshot(
            DBInstanceIdentifier=f"{stack.name}-db", DBSnapshotIdentifier=f"{stack.name}-db-{turn}", Tags=tags
        )
    if stack.is_production:
        _cluster(rds, stack, network)


def seed_tables(dynamodb: Any, stack: Stack) -> None:
    """Create the stack's DynamoDB tables."""
    for purpose in ("sessions", "events", "locks")[: 1 + stack.size]:
        dynamodb.create_table(
            TableName=f"{stack.name}-{purpose}",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            Tags=pairs(stack.tags()),
        )


def seed_file_system(efs: Any, stack: Stack) -> None:
    """Create the stack's shared file system."""
    efs.create_file_system(
        CreationToken=stack.name, Encrypted=stack.is_production, Tags=pairs(stack.tags(f"{stack.name}-shared"))
    )


def seed_keys(kms: Any, stack: Stack) -> None:
    """Create the stack's encryption key and its alias."""
    made = kms.create_key(Description=f"data of {stack.name}", Tags=pairs(stack.tags(), "TagKey", "TagValue"))
    kms.create_alias(AliasName=f"alias/{stack.name}", TargetKeyId=made["KeyMetadata"]["KeyId"])


def _bucket(s3: Any, name: str, region: str) -> None:
    # us-east-1 is the one region that must not be named as a location constraint.
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **place)


def _harden(s3: Any, name: str) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(closed, True))
    expire = {"ID": "expire", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 400}}
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [expire]})
    statement = {
        "Sid": "OnlyTLS",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def _database(rds: Any, stack: Stack, name: str, network: Network, **settings: Any) -> None:
    rds.create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.t3.medium",
        VpcSecurityGroupIds=[network.inside_group],
        Tags=pairs(stack.tags()),
        **settings,
    )


def _cluster(rds: Any, stack: Stack, network: Network) -> None:
    name = f"{stack.name}-aurora"
    tags = pairs(stack.tags())
    rds.create_db_cluster(
        DBClusterIdentifier=name, Engine="aurora-postgresql", StorageEncrypted=True, Tags=tags, **_MASTER
    )
    for number in (1, 2):
        _database(rds, stack, f"{name}-{number}", network, Engine="aurora-postgresql", DBClusterIdentifier=name)
    rds.create_db_cluster_snapshot(DBClusterIdentifier=name, DBClusterSnapshotIdentifier=f"{name}-daily", Tags=tags)
