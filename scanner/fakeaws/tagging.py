"""The fake AWS's Resource Groups Tagging API: what is tagged, filtered as AWS does, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scanner.fakeaws.paging import Paged

PAGES = Paged("PaginationToken", "PaginationToken", "ResourceTagMappingList")

Tagged = tuple[str, dict[str, str]]  # ARN and tags


def tagged_page(resources: Iterable[Tagged], params: Mapping[str, Any], page_size: int) -> Mapping[str, Any]:
    """One answer of GetResources."""
    found = [one for one in resources if _passes(one, params)]
    start = int(params.get("PaginationToken") or 0)
    end = start + min(int(params.get("ResourcesPerPage") or 50), page_size)
    rows = [
        {"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        for arn, tags in found[start:end]
    ]
    return {"ResourceTagMappingList": rows, "PaginationToken": str(end) if end < len(found) else ""}


def _passes(one: Tagged, params: Mapping[str, Any]) -> bool:
    arn, tags = one
    wanted = params.get("ResourceTypeFilters") or []
    namespace = arn.split(":")[2]
    if wanted and not any(word.split(":")[0] == namespace for word in wanted):
        return False
    filters = params.get("TagFilters") or []
    return all(f["Key"] in tags and (not f.get("Values") or tags[f["Key"]] in f["Values"]) for f in filters)
