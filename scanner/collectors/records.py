"""One resource as one record: the fields that every collector fills, in the published order."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from scanner.model import SCHEMA_VERSION, Unit

_MANAGED_BY = (
    ("aws:cloudformation:stack-name", "cloudformation"),
    ("aws:autoscaling:groupName", "autoscaling"),
    ("aws:elasticmapreduce:job-flow-id", "emr"),
    ("elasticbeanstalk:environment-id", "elasticbeanstalk"),
    ("aws:servicecatalog:provisioningPrincipalArn", "servicecatalog"),
    ("eks:cluster-name", "eks"),
)


def record_of(unit: Unit, collector: str, **fields: Any) -> dict[str, Any]:
    """A record of schema version 1. `fields`: those of docs/record.schema.json that the collector knows."""
    tags = fields.get("tags")
    configuration = fields.get("configuration")
    return {
        "schema_version": SCHEMA_VERSION,
        "resource_type": fields["resource_type"],
        "cfn_type": fields.get("cfn_type") or None,
        "service": fields["service"],
        "resource_id": fields.get("resource_id"),
        "resource_name": fields.get("resource_name"),
        "resource_arn": fields.get("resource_arn"),
        "partition": unit.account.partition,
        "account_id": unit.account.id,
        "account_name": unit.account.name,
        "region": fields["region"],
        "tags": None if tags is None else dict(sorted(tags.items())),
        "created_at": fields.get("created_at"),
        "state": fields.get("state"),
        "ownership": fields.get("ownership"),
        "sources": [collector],
        "relationships": [],
        "managed_by": managed_by(tags),
        "fingerprint": fingerprint(configuration, tags),
        "configuration": configuration,
    }


def managed_by(tags: Mapping[str, str] | None) -> str | None:
    """The tool whose tag a resource carries, if any."""
    return next((tool for key, tool in _MANAGED_BY if tags and key in tags), None)


def fingerprint(configuration: Any, tags: Mapping[str, str] | None) -> str:
    """The sha256 of configuration and tags, the same whatever the order AWS answered in."""
    text = orjson.dumps([configuration, tags], option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str)
    return hashlib.sha256(text).hexdigest()


def unite(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """One record of a resource that two collectors saw: attributes of the service's own answer, tags of both."""
    base, other = (first, second) if "services" in first["sources"] else (second, first)
    tags = base["tags"] if other["tags"] is None else {**other["tags"], **(base["tags"] or {})}
    known = {name: value if value is not None else other[name] for name, value in base.items()}
    return {
        **known,
        "tags": None if tags is None else dict(sorted(tags.items())),
        "sources": sorted({*base["sources"], *other["sources"]}),
        "managed_by": managed_by(tags),
        "fingerprint": fingerprint(base["configuration"], tags),
    }
