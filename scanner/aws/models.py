"""botocore's service models, cut down to the operations that may be called: a tenth of the time and memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from botocore import __version__, xform_name
from botocore.loaders import JSONFileLoader, Loader

from scanner.catalog import derived

_FORMAT = 2  # raise it when the same model is cut differently
_RULES = "endpoint-rule-set-1"
Model = dict[str, Any]


class _Orjson(JSONFileLoader):
    """botocore's own files (endpoints, partitions) by a parser that is several times as fast."""

    def _load_file(self, full_path: str, open_method: Any) -> Any:
        try:
            with open_method(full_path, "rb") as file:
                return orjson.loads(file.read())
        except FileNotFoundError:
            return None


class Models(Loader):
    """A botocore loader that knows the operations of an allow-list, (client, boto3 method), and nothing else."""

    FILE_LOADER_CLASS = _Orjson

    def __init__(self, allowed: Iterable[tuple[str, str]]) -> None:
        extra = [os.path.expanduser(one) for one in os.environ.get("AWS_DATA_PATH", "").split(os.pathsep) if one]
        super().__init__(extra_search_paths=extra)
        self._allowed: dict[str, set[str]] = {}
        for service, method in allowed:
            self._allowed.setdefault(service, set()).add(method)
        self._services: dict[str, dict[str, Model | None]] = {}

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """The cut model or the endpoint rules of a service on the allow-list; all else as botocore has it."""
        if service_name not in self._allowed or type_name not in ("service-2", _RULES) or api_version:
            return super().load_service_model(service_name, type_name, api_version)
        found = self._service(service_name)[type_name]
        if found is None:
            return super().load_service_model(service_name, type_name)
        return found

    def _service(self, service: str) -> dict[str, Model | None]:
        if service not in self._services:
            methods = sorted(self._allowed[service])
            said = repr((_FORMAT, __version__, self.search_paths, service, methods))
            name = f"model-{service}-{hashlib.sha256(said.encode()).hexdigest()[:16]}"
            found = derived.load(name)
            if self._is_users_own(service):
                found = self._cut(service, methods)
            elif not _is_whole(found):
                found = self._cut(service, methods)
                derived.keep(name, found)
            self._services[service] = found
        return self._services[service]

    def _is_users_own(self, service: str) -> bool:
        """Whether the user has models of this service, which may change without a new version of botocore."""
        others = [path for path in self.search_paths if path != self.BUILTIN_DATA_PATH]
        return any(os.path.isdir(os.path.join(path, service)) for path in others)

    def _cut(self, service: str, methods: list[str]) -> dict[str, Model | None]:
        model = super().load_service_model(service, "service-2")
        rules = super().load_service_model(service, _RULES) if service in self.list_available_services(_RULES) else None
        return {"service-2": cut(model, methods), _RULES: rules}


def cut(model: Mapping[str, Any], methods: Iterable[str]) -> Model:
    """A service model with these operations (boto3 names), the shapes that they reach, and no prose."""
    wanted = frozenset(methods)
    operations = {name: one for name, one in model["operations"].items() if xform_name(name) in wanted}
    waiting = [
        ref["shape"]
        for one in operations.values()
        for ref in (one.get("input"), one.get("output"), *one.get("errors", ()))
        if ref
    ]
    shapes: dict[str, Any] = {}
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            waiting.extend(_referred(shapes[name]))
    kept = {name: value for name, value in model.items() if name not in ("operations", "shapes", "examples")}
    whole: Model = _without_prose({**kept, "operations": operations, "shapes": shapes})
    return whole


def _referred(shape: Mapping[str, Any]) -> list[str]:
    refs = [*shape.get("members", {}).values(), *(shape[part] for part in ("member", "key", "value") if part in shape)]
    return [ref["shape"] for ref in refs]


def _without_prose(value: Any) -> Any:
    """With empty `documentation` where it is text: handlers of botocore ask for it, and a member may be named so."""
    if isinstance(value, Mapping):
        return {
            name: "" if name == "documentation" and isinstance(one, str) else _without_prose(one)
            for name, one in value.items()
        }
    return [_without_prose(one) for one in value] if isinstance(value, list) else value


def _is_whole(found: Any) -> bool:
    return isinstance(found, dict) and isinstance(found.get("service-2"), dict) and _RULES in found
