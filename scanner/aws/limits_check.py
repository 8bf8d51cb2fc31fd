"""Proves limits.yaml: services and operations that botocore has, sensible numbers, a page of AWS's as the source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scanner.aws.limits import PATH, read
from scanner.catalog import models
from scanner.catalog.strict_yaml import YamlProblem

_KEYS = frozenset({"source", "note", "per", "rate_per_s", "burst", "buckets"})
_BUCKET_KEYS = frozenset({"operations", "rate_per_s", "burst"})
_SOURCE = "https://docs.aws.amazon.com/"


def problems(text: str | None = None) -> list[str]:
    """What is wrong with limits.yaml (or `text`). A service that is not in it keeps to the default."""
    try:
        said = read(PATH.read_text(encoding="utf-8") if text is None else text)
    except YamlProblem as problem:
        return [f"{PATH.name}:{problem.line}:{problem.column}: {problem.message}"]
    return [f"{PATH.name}: {one}" for one in _problems(said)]


def _problems(said: Mapping[str, Any]) -> Iterator[str]:
    documented, none = said.get("services") or {}, said.get("none") or []
    yield from _numbers("default", said.get("default") or {}, whole=True)
    for service, one in documented.items():
        yield from _service(service, one)
    for service in none:
        if models.service_model(service) is None:
            yield f"none: botocore has no service {service!r}"
        if service in documented:
            yield f"none: {service} has a budget above"


def _service(service: str, said: Mapping[str, Any]) -> Iterator[str]:
    if models.service_model(service) is None:
        yield f"services.{service}: botocore has no such service"
        return
    for key in sorted(set(said) - _KEYS):
        yield f"services.{service}: unknown key {key!r}; there are: {', '.join(sorted(_KEYS))}"
    if not str(said.get("source", "")).startswith(_SOURCE):
        yield f"services.{service}: source: a page under {_SOURCE} is wanted"
    if said.get("per", "service") not in ("service", "operation"):
        yield f"services.{service}: per: {said['per']!r} is none of service, operation"
    yield from _numbers(f"services.{service}", said)
    for at, bucket in enumerate(said.get("buckets") or []):
        place = f"services.{service}.buckets[{at}]"
        for key in sorted(set(bucket) - _BUCKET_KEYS):
            yield f"{place}: unknown key {key!r}; there are: {', '.join(sorted(_BUCKET_KEYS))}"
        yield from _numbers(place, bucket)
        if not bucket.get("operations"):
            yield f"{place}: operations: at least one is wanted"
        for operation in bucket.get("operations") or []:
            if models.operation(service, operation) is None:
                yield f"{place}: {service} has no operation {operation!r}"


def _numbers(place: str, said: Mapping[str, Any], *, whole: bool = False) -> Iterator[str]:
    for name, kinds in (("rate_per_s", (int, float)), ("burst", (int,))):
        value = said.get(name)
        if value is None and not whole:
            continue
        if not isinstance(value, kinds) or isinstance(value, bool) or not 0 < value <= 10_000:
            yield f"{place}: {name}: {value!r} is no number from 1 to 10,000"
