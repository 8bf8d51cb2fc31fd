"""YAML -> spec: the catalog's language, closed, with everything that botocore's models know filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from scanner.catalog import models
from scanner.catalog.paths import HOLE, members_of, type_of_items
from scanner.catalog.sensitive import uncovered
from scanner.catalog.source import Source, unknown
from scanner.catalog.spec import RESERVED_HOLES, Call, ResourceType, Text
from scanner.errors import CatalogError

SERVICE_KEYS = ("service", "namespace", "scope", "home", "iam", "resources")
TYPE_KEYS = (
    "of", "list", "get", "where", "owned", "id", "arn", "shape", "name", "tags", "created", "state", "with", "redact",
    "reveal", "volatile", "cfn", "tagging",
)  # fmt: skip
CALL_KEYS = ("call", "in", "out", "batch", "key", "take", "page", "failed", "none", "off", "iam")
PAGE_KEYS = ("input", "output", "more", "size")


# What a key's value is; text where nothing stands here.
_WANTED: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("resources", "with", "in", "page"), (dict,)),
    **dict.fromkeys(("list", "get", "tags"), (str, dict)),
    **dict.fromkeys(("redact", "reveal", "volatile", "none", "off"), (list,)),
    **dict.fromkeys(("of", "iam", "input", "output"), (str, list)),
    **dict.fromkeys(("batch", "size"), (int,)),
    "tagging": (bool,),
}
_NAMES = {str: "text", dict: "a mapping", list: "a list", int: "a number", bool: "true or false"}


def compile_source(source: Source) -> tuple[ResourceType, ...]:
    """The resource types of one file. Raises CatalogError with every problem of the language at once."""
    compiler = _Compiler(source)
    kinds = compiler.service()
    if compiler.problems:
        raise CatalogError(compiler.problems)
    return kinds


def _in_words(types: tuple[type, ...]) -> str:
    return " or ".join(_NAMES[one] for one in types)


class _Compiler:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._doc = source.doc
        self.problems: list[str] = []

    def service(self) -> tuple[ResourceType, ...]:
        if not self._known_keys((), self._doc, SERVICE_KEYS):
            return ()
        self._service = str(self._doc.get("service", ""))
        if models.service_model(self._service) is None:
            near = unknown(self._service, models.service_names())
            self._problem(("service",), f"botocore has no client {self._service!r}{near}")
            return ()
        if self._doc.get("scope", "regional") not in ("regional", "global"):
            self._problem(("scope",), "is `regional` or `global`")
        if "resources" not in self._doc:
            self._problem((), "needs `resources`, a mapping of resource types")
        found = (self._type(kind, entry) for kind, entry in self._doc.get("resources", {}).items())
        return tuple(kind for kind in found if kind)

    def _type(self, kind: Any, entry: Any) -> ResourceType | None:
        at: tuple[str | int, ...] = ("resources", kind)
        if not isinstance(kind, str):
            self._problem(at, f"{kind!r} is no name of a type: text is wanted")
            return None
        if not self._known_keys(at, entry, TYPE_KEYS):
            return None
        missing = [key for key in ("list", "arn") if key not in entry]
        if missing:
            self._problem(at, f"needs {' and '.join(missing)}")
            return None
        of = entry.get("of")
        listing = self._call((*at, "list"), entry["list"], is_list=True)
        if listing is None:
            return None
        get = self._call((*at, "get"), entry["get"]) if "get" in entry else None
        tags = entry.get("tags")
        with_ = entry.get("with") or {}
        extras = {name: self._call((*at, "with", name), call) for name, call in with_.items()}
        made = ResourceType(
            service=self._service,
            namespace=str(self._doc.get("namespace", self._service)),
            kind=kind,
            scope=str(self._doc.get("scope", "regional")),
            home=str(self._doc.get("home", "")),
            list=listing,
            id=_text(entry.get("id")),
            arn=_text(entry["arn"]) or Text(""),
            of_parent=of if isinstance(of, str) else "",
            of_literals=tuple(str(one) for one in of) if isinstance(of, list) else (),
            get=get,
            get_is_extra=_is_extra(listing, get, entry),
            where=str(entry.get("where", "")),
            owned=str(entry.get("owned", "")),
            name=_text(entry.get("name")),
            tags=tags if isinstance(tags, str) else "",
            tags_call=self._call((*at, "tags"), tags) if isinstance(tags, dict) and tags else None,
            created=str(entry.get("created", "")),
            state=str(entry.get("state", "")),
            extra={name: call for name, call in extras.items() if call},
            redact=_paths(entry, "redact"),
            reveal=_paths(entry, "reveal"),
            volatile=_paths(entry, "volatile"),
            cfn=str(entry.get("cfn", "")),
            shape=str(entry.get("shape") or shape_of(str(entry["arn"]))),
            tagging_api=entry.get("tagging", True) is not False,
            untagged=tags == {},
        )
        return replace(made, redact=(*made.redact, *uncovered(made)))

    def _call(self, at: tuple[str | int, ...], given: Any, *, is_list: bool = False) -> Call | None:
        said: dict[str, Any] = {"call": given} if isinstance(given, str) else given
        if not self._known_keys(at, said, CALL_KEYS):
            return None
        method = str(said.get("call", ""))
        model = models.operation(self._service, method)
        if model is None:
            near = unknown(method, models.operations(self._service))
            self._problem((*at, "call"), f"{self._service} has no operation {method!r}{near}")
            return None
        pages = models.paginator(self._service, model.name)
        params: dict[str, Any] = dict(said.get("in") or {})
        page = self._page(at, said.get("page") or {}, pages, model, is_list)
        batch = int(said.get("batch", 0))
        return Call(
            service=self._service,
            operation=method,
            api=model.name,
            params=params,
            out=str(said.get("out", _default_out(pages, model) if is_list else "")),
            batch=batch,
            batch_param=self._batch_param(at, params) if batch else "",
            key=str(said.get("key", "")),
            take=str(said.get("take", "")),
            failed=str(said.get("failed", "")),
            none=tuple(said.get("none", ())),
            off=tuple(said.get("off", ())),
            iam=tuple(said.get("iam", (f"{self._doc.get('iam') or models.iam_prefix(self._service)}:{model.name}",))),
            **page,
        )

    def _page(
        self, at: tuple[str | int, ...], said: Any, pages: Mapping[str, Any], model: Any, is_list: bool
    ) -> dict[str, Any]:
        """Tokens and page size: botocore's paginator, else what the entry says, else tokens known by their names."""
        if not self._known_keys((*at, "page"), said, PAGE_KEYS):
            return {}
        pair = models.token_pair(model) or ("", "")
        inputs = _many(said.get("input") or pages.get("input_token") or pair[0])
        outputs = _many(said.get("output") or pages.get("output_token") or pair[1])
        members = model.input_shape.members if model.input_shape else {}
        if is_list and not inputs and any("token" in name.lower() or "marker" in name.lower() for name in members):
            self._problem(
                (*at, "call"), "has a continuation token and botocore no paginator: say `page: {input, output}`"
            )
        limit = pages.get("limit_key") or next((one for one in _SIZE_NAMES if one in members and inputs), "")
        declared = members[limit].metadata.get("max") if limit in members else None
        size = int(said.get("size") or declared or 0)
        size_param = limit if size and is_list else ""
        return {
            "input_tokens": inputs,
            "output_tokens": outputs,
            "more": str(said.get("more") or pages.get("more_results") or ""),
            "size_param": size_param,
            "size": size if size_param else 0,
        }

    def _batch_param(self, at: tuple[str | int, ...], params: Mapping[str, Any]) -> str:
        found = [
            name for name, value in params.items()
            if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) and HOLE.search(value[0])
        ]  # fmt: skip
        if len(found) != 1:
            self._problem((*at, "batch"), "needs exactly one list parameter with one {hole}")
            return ""
        return found[0]

    def _known_keys(self, at: tuple[str | int, ...], value: Any, allowed: tuple[str, ...]) -> bool:
        if not isinstance(value, dict):
            self._problem(at, f"a mapping with {', '.join(allowed)} is wanted")
            return False
        for key in value:
            if key not in allowed:
                message = f"unknown key {key!r}{unknown(key, allowed)}; allowed: {', '.join(allowed)}"
                self._problem((*at, key), message, of_key=True)
        wrong = [key for key in allowed if key in value and not isinstance(value[key], _WANTED.get(key, (str,)))]
        for key in wrong:
            self._problem((*at, key), f"{value[key]!r} is not allowed; {_in_words(_WANTED.get(key, (str,)))} is wanted")
        return not wrong

    def _problem(self, at: tuple[str | int, ...], message: str, *, of_key: bool = False) -> None:
        self.problems.append(f"{self._source.where(at, of_key)}: {message}")


_SIZE_NAMES = ("MaxResults", "maxResults", "MaxItems", "MaxRecords", "PageSize", "Limit", "limit")


def _many(value: Any) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(value)
    return (value,) if value else ()


def _paths(entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(str(one) for one in entry.get(key, ()))


def _text(value: Any) -> Text | None:
    return None if value is None else Text(str(value), bool(HOLE.search(str(value))))


def _default_out(pages: Mapping[str, Any], model: Any) -> str:
    """What a list call yields where the entry does not say: the paginator's result, else the one list of the answer."""
    keys = _many(pages.get("result_key"))
    if keys:
        return keys[0]
    members = model.output_shape.members if model.output_shape else {}
    lists = [name for name, shape in members.items() if shape.type_name == "list"]
    return lists[0] if len(lists) == 1 else ""


def _is_extra(listing: Call, get: Call | None, entry: Mapping[str, Any]) -> bool:
    """Whether the list alone tells id, ARN and `where`: then a `get` per item adds configuration only."""
    if get is None or get.batch:
        return False
    said = [str(entry[key]) for key in ("id", "arn", "where") if key in entry]
    words = {word.split(".")[0] for text in said for word in (HOLE.findall(text) or re.findall(r"[A-Za-z_]\w*", text))}
    return words <= {*RESERVED_HOLES, *item_members(listing)}


def item_members(listing: Call) -> set[str]:
    """The members of the structures that a list call yields; none for bare strings."""
    return set(members_of(type_of_items(listing)))


def shape_of(arn: str) -> str:
    """An ARN template as a shape: its own holes become {region}, {account} and, last, {id}; "" for a path."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn":
        return ""
    region, account = ("{region}" if "{" in parts[3] else parts[3]), ("{account}" if "{" in parts[4] else parts[4])
    return f"arn:{{partition}}:{parts[2]}:{region}:{account}:{parts[5].split('{')[0]}{{id}}"
