"""botocore's service models as the catalog's compiler and check read them. No session, no client, no request."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from botocore import xform_name
from botocore.exceptions import DataNotFoundError, UnknownServiceError
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

# A botocore shape. Which members it has hangs on its `type_name`, which no static type follows.
AnyShape = Any

# Where the IAM prefix is not the signing name.
_IAM_PREFIXES = {"elbv2": "elasticloadbalancing", "elb": "elasticloadbalancing", "efs": "elasticfilesystem"}
_TOKEN_PAIRS = (
    ("NextToken", "NextToken"),
    ("nextToken", "nextToken"),
    ("Marker", "NextMarker"),
    ("Marker", "Marker"),
    ("PaginationToken", "PaginationToken"),
    ("pageToken", "nextPageToken"),
    ("PageToken", "NextPageToken"),
)


@lru_cache(maxsize=1)
def _loader() -> Any:
    return Loader(include_default_search_paths=True)


@lru_cache(maxsize=64)
def service_model(service: str) -> ServiceModel | None:
    """The model of a botocore client, or None where there is no such client."""
    try:
        return ServiceModel(_loader().load_service_model(service, "service-2"), service)
    except (UnknownServiceError, DataNotFoundError):
        return None


def service_names() -> list[str]:
    """Every botocore client."""
    return list(_loader().list_available_services("service-2"))


@lru_cache(maxsize=64)
def operations(service: str) -> dict[str, str]:
    """boto3 method -> botocore operation: {"describe_instances": "DescribeInstances"}."""
    model = service_model(service)
    return {xform_name(name): name for name in model.operation_names} if model else {}


def operation(service: str, method: str) -> OperationModel | None:
    """The model of one operation by its boto3 name."""
    model, name = service_model(service), operations(service).get(method)
    return model.operation_model(name) if model and name else None


@lru_cache(maxsize=64)
def _paginators(service: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = _loader().load_service_model(service, "paginators-1")["pagination"]
    except (UnknownServiceError, DataNotFoundError):
        return {}
    return found


def paginator(service: str, api: str) -> dict[str, Any]:
    """botocore's paginator of an operation ({} if it has none): input_token, output_token, result_key, limit_key ..."""
    return dict(_paginators(service).get(api, {}))


def token_pair(model: OperationModel) -> tuple[str, str] | None:
    """The continuation tokens by name, where the operation has one and botocore has no paginator for it."""
    given = model.input_shape.members if model.input_shape else {}
    answered = model.output_shape.members if model.output_shape else {}
    return next((pair for pair in _TOKEN_PAIRS if pair[0] in given and pair[1] in answered), None)


def iam_prefix(service: str) -> str:
    """The prefix of a client's IAM actions."""
    model = service_model(service)
    return _IAM_PREFIXES.get(service) or (model.signing_name if model else service)


def regions_without(services: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Client -> the regions in which, as botocore's list of endpoints has it, the service is not offered.

    Said only where the list can know: of services that it has by region in that partition, in regions that it has.
    """
    found: dict[str, list[str]] = {}
    for partition in _loader().load_data("endpoints")["partitions"]:
        listed = {name: one.get("endpoints", {}) for name, one in partition["services"].items() if _by_region(one)}
        known = [region for region in partition["regions"] if region in listed.get("sts", {})]
        for service in services:
            model = service_model(service)
            there = listed.get(str(model.endpoint_prefix), {}) if model else {}
            if there:
                found.setdefault(service, []).extend(region for region in known if region not in there)
    return {service: tuple(sorted(regions)) for service, regions in found.items() if regions}


def _by_region(service: Any) -> bool:
    return bool(service.get("isRegionalized", True))


def region_names() -> dict[str, tuple[str, ...]]:
    """Partition -> its regions, as botocore knows them."""
    partitions = _loader().load_data("partitions")["partitions"]
    return {
        one["id"]: tuple(sorted(name for name in one["regions"] if not name.endswith("-global"))) for one in partitions
    }
