"""Read-only, on every way into a client: what is not on the allow-list raises before anything is built, and counts."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from botocore import xform_name
from botocore.session import Session

from scanner.aws.hush import hush
from scanner.catalog.models import operations
from scanner.errors import ReadOnlyViolation
from scanner.model import CallStats

AllowList = frozenset[tuple[str, str]]  # (client, boto3 method)
Check = Callable[[str, str], None]

_refused: Counter[tuple[str, str]] = Counter()
_lock = threading.Lock()


class NoSuchMethod(ReadOnlyViolation, AttributeError):
    """The same of a method that a client does not have: for `hasattr` it is not there."""


def guard(session: Session, allowed: AllowList) -> None:
    """Let the clients of a session make the calls of an allow-list, and no other."""

    def check(service: str, operation: str) -> None:
        if (service, operation) not in allowed:
            refuse(service, operation)

    def check_params(**said: Any) -> None:
        check(said["model"].service_model.service_name, xform_name(said["model"].name))

    def close_other_ways(class_attributes: dict[str, Any], base_classes: list[type], **_: Any) -> None:
        base_classes.insert(0, _guarded(check))
        for name in [name for name in class_attributes if name.startswith("generate_")]:
            # What presigns without an operation (posts to S3, tokens of databases), or of one that it is told.
            del class_attributes[name]

    session.register("provide-client-params.*.*", check_params)
    hush()
    # The last of all that add to a client's class.
    session.get_component("event_emitter").register_last("creating-client-class", close_other_ways)


def refuse(service: str, operation: str, kind: type[ReadOnlyViolation] = ReadOnlyViolation) -> None:
    """Count a call that is not allowed, and raise."""
    with _lock:
        _refused[service, operation] += 1
    raise kind(f"{service}:{operation} is not on the catalog's read-only allow-list")


def take_refused() -> tuple[CallStats, ...]:
    """What this process refused since the last time, sorted."""
    with _lock:
        found = tuple(CallStats(*key, refused=count) for key, count in sorted(_refused.items()))
        _refused.clear()
    return found


def _guarded(check: Check) -> type:
    """What stands before botocore's own methods of a client."""

    class ReadOnly:
        meta: Any

        def _make_api_call(self, operation_name: str, api_params: Any) -> Any:
            check(self._service, xform_name(operation_name))
            return super()._make_api_call(operation_name, api_params)  # type: ignore[misc]

        def _make_request(self, operation_model: Any, *rest: Any) -> Any:
            check(self._service, xform_name(operation_model.name))
            return super()._make_request(operation_model, *rest)  # type: ignore[misc]

        def get_paginator(self, operation_name: str) -> Any:
            """botocore's paginator of an allowed operation."""
            check(self._service, operation_name)
            return super().get_paginator(operation_name)  # type: ignore[misc]

        def __getattr__(self, name: str) -> Any:
            # The model was cut to the allow-list: what AWS has besides is no attribute.
            if not name.startswith("_") and (name.startswith("generate_") or name in operations(self._service)):
                refuse(self._service, name, NoSuchMethod)
            return super().__getattr__(name)  # type: ignore[misc]

        @property
        def _service(self) -> str:
            return str(self.meta.service_model.service_name)

    return ReadOnly
