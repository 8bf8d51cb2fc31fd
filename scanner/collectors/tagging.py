"""Asks the Resource Groups Tagging API of one region, which knows every tagged resource and nothing of the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scanner.aws.calls import Lane
from scanner.catalog.arns import ArnParser, ArnParts
from scanner.catalog.spec import Call
from scanner.collectors.filters import matcher, server_side
from scanner.collectors.ledger import Ledger
from scanner.collectors.records import record_of
from scanner.collectors.values import tags_of
from scanner.errors import GapError
from scanner.model import GLOBAL, Outcome, Unit

SERVICE = "resourcegroupstaggingapi"
GET_RESOURCES = Call(
    service=SERVICE,
    operation="get_resources",
    api="GetResources",
    out="ResourceTagMappingList",
    input_tokens=("PaginationToken",),
    output_tokens=("PaginationToken",),
    size_param="ResourcesPerPage",
    size=100,
    iam=("tag:GetResources",),
)
_GLOBAL_NAMESPACES = frozenset(
    {"iam", "cloudfront", "route53", "route53domains", "globalaccelerator", "organizations", "networkmanager", "shield"}
)
_TYPE_FILTERS_MAX = 100


def is_global(resource_type: str) -> bool:
    """Whether resources of a type belong to no region: only the home region's API knows them."""
    return resource_type.partition(":")[0] in _GLOBAL_NAMESPACES


class TaggingScan:
    """One region's GetResources, or of the home region's the global part.

    `cfn_types` gives the CloudFormation name of the types that the catalog has.
    """

    def __init__(self, unit: Unit, lane: Lane, ledger: Ledger, parser: ArnParser, cfn_types: dict[str, str]) -> None:
        self._unit, self._lane, self._ledger, self._parser, self._cfn = unit, lane, ledger, parser, cfn_types
        self._only = frozenset(unit.only)
        # Such a unit stands in for a home region that the profile leaves out: what is regional there is not wanted.
        self._only_global = unit.scope_region == GLOBAL
        self._matches = matcher(unit.tags)

    def run(self) -> Iterator[dict[str, Any]]:
        """Records of every resource with the tags asked for; types the catalog does not have are kept."""
        count = 0
        try:
            for page in self._lane.pages(GET_RESOURCES, self._params()):
                for found in page.get("ResourceTagMappingList", []):
                    record = self._record(str(found.get("ResourceARN")), tags_of(found.get("Tags")))
                    if record:
                        count += 1
                        yield record
        except GapError as gap:
            self._ledger.gap("*", GET_RESOURCES.operation, gap)
        self._ledger.answered("*", GET_RESOURCES.operation, count)

    def _params(self) -> dict[str, Any]:
        params: dict[str, Any] = {}
        namespaces = sorted({name.partition(":")[0] for name in self._only})
        if self._only_global:
            namespaces = sorted(_GLOBAL_NAMESPACES.intersection(namespaces or _GLOBAL_NAMESPACES))
        if namespaces and len(namespaces) <= _TYPE_FILTERS_MAX:
            params["ResourceTypeFilters"] = namespaces
        filters = server_side(self._unit.tags)
        if filters:
            params["TagFilters"] = filters
        return params

    def _record(self, arn: str, tags: dict[str, str]) -> dict[str, Any] | None:
        if not self._matches(tags):
            return None
        try:
            parts = self._parser.parse(arn)
        except ValueError:
            gap = GapError(Outcome.MALFORMED, "NoArn", "GetResources gave something that is no ARN")
            self._ledger.gap("*", GET_RESOURCES.operation, gap)
            return None
        if self._only and parts.resource_type not in self._only:
            return None
        if self._only_global and self._region(parts) != GLOBAL:
            return None
        return record_of(
            self._unit,
            "tagging",
            resource_type=parts.resource_type,
            cfn_type=self._cfn.get(f"{parts.service}:{parts.kind}"),
            service=parts.service,
            resource_id=parts.id,
            resource_name=tags.get("Name"),
            resource_arn=arn,
            region=self._region(parts),
            tags=tags,
        )

    def _region(self, parts: ArnParts) -> str:
        if parts.region:
            return parts.region
        return GLOBAL if parts.namespace in _GLOBAL_NAMESPACES else self._unit.region
