"""What the fake AWS has: resources made of botocore's shapes, always the same, with ids as the catalog reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore import xform_name
from botocore.model import OperationModel

from scanner.catalog import Catalog
from scanner.catalog.models import AnyShape
from scanner.catalog.spec import Call, ResourceType
from scanner.fakeaws.errors import FakeError
from scanner.fakeaws.filling import blank, fill, first_word, give_state, place, shape_at, tag_value
from scanner.fakeaws.paging import Paged
from scanner.fakeaws.tokens import offset_of, token_of

_PER_REGION = 10_000
# Both kinds of load balancer share a namespace: the newer one says its sort first.
_PREFIXES = {"elbv2:loadbalancer": "app/"}
_LEAF = re.compile(r"([A-Za-z-]+)-(\d{5})\Z")


@dataclass(frozen=True, slots=True)
class Fleet:
    """How much there is. `per_type` overrides `items` for "service:kind"; `children` holds for each parent."""

    items: int = 10
    children: int = 2
    page_size: int = 1000
    per_type: Mapping[str, int] = field(default_factory=dict)
    uncatalogued: int = 0  # global things that the catalog may not have and the tagging API of us-east-1 knows
    regions: tuple[str, ...] = ("us-east-1", "us-west-2", "eu-west-1", "ap-southeast-2")

    def count(self, kind: ResourceType) -> int:
        """How many of a type there are, in each account and region or under each parent."""
        return self.per_type.get(f"{kind.service}:{kind.kind}", self.children if kind.of_parent else self.items)


@dataclass(frozen=True, slots=True)
class Where:
    """The account and region that a request is about."""

    account: str
    region: str
    partition: str = "aws"


class Content:
    """Answers by the catalog: which operation lists, describes or tags which type."""

    def __init__(self, catalog: Catalog, fleet: Fleet) -> None:
        self.fleet = fleet
        self._kinds = catalog.types
        self._roles: dict[tuple[str, str], tuple[str, ResourceType, Call]] = {}
        for kind in catalog.types:
            named = [("list", kind.list), ("get", kind.get), ("tags", kind.tags_call)]
            for role, call in [*named, *(("extra", call) for call in kind.extra.values())]:
                if call is not None:
                    self._roles.setdefault((call.service, call.operation), (role, kind, call))

    def answer(self, model: OperationModel, params: Mapping[str, Any], where: Where) -> dict[str, Any]:
        """The answer of an operation of the catalog. Raises FakeError; KeyError for an operation it does not know."""
        service, operation = model.service_model.service_name, xform_name(model.name)
        role, kind, call = self._roles[service, operation]
        if role == "list":
            return self._list(model, kind, call, params, where)
        if role == "get":
            return self._get(model, kind, call, params, where)
        if role == "tags":
            return self._tags(model, kind, call, params, where)
        return blank(model)

    def paged(self, service: str, operation: str) -> Paged | None:
        """Where an operation of the catalog has its tokens; None for one that has no pages."""
        role, _, call = self._roles.get((service, operation), ("", None, None))
        if role != "list" or call is None or not call.input_tokens:
            return None
        return Paged(call.input_tokens[0], first_word(call.output_tokens[0]), first_word(call.out), call.more)

    def _list(
        self, model: OperationModel, kind: ResourceType, call: Call, params: Mapping[str, Any], where: Where
    ) -> dict[str, Any]:
        leaves = self._leaves(kind, where)
        if kind.of_parent:
            parent = self._parent_leaf(kind, call, params, where)
            leaves = [f"{parent}/{leaf}" for leaf in leaves]
        start, end = self._page(call, params, len(leaves))
        shape = shape_at(model.output_shape, call.out)
        items = [self._item(kind, shape, leaf, where) for leaf in leaves[start:end]]
        answer = place(call.out, items)
        if end < len(leaves) and call.output_tokens:
            answer[first_word(call.output_tokens[0])] = token_of(end, call, params)
        if call.more:
            answer[call.more] = end < len(leaves)
        return answer

    def _leaves(self, kind: ResourceType, where: Where) -> list[str]:
        """The ids of a type in a region or under a parent; where ARNs name no region, numbers tell regions apart."""
        first = 0
        if kind.scope == "regional" and "{region}" not in kind.shape:
            first = self.fleet.regions.index(where.region) * _PER_REGION if where.region in self.fleet.regions else 0
        stem = _PREFIXES.get(f"{kind.service}:{kind.kind}", "") + kind.kind
        return [f"{stem}-{first + at:05d}" for at in range(self.fleet.count(kind))]

    def _page(self, call: Call, params: Mapping[str, Any], count: int) -> tuple[int, int]:
        if not call.input_tokens:
            return 0, count
        given = params.get(call.input_tokens[0])
        start = offset_of(str(given), call, params) if given else 0
        asked = int(params.get(call.size_param) or 100) if call.size_param else 100
        return start, min(count, start + min(asked, self.fleet.page_size))

    def _parent_leaf(self, kind: ResourceType, call: Call, params: Mapping[str, Any], where: Where) -> str:
        name = next(name for name, value in call.params.items() if "{parent." in str(value))
        above = next(one for one in self._kinds if (one.service, one.kind) == (kind.service, kind.of_parent))
        return self._known(above, str(params.get(name)), where)

    def _known(self, kind: ResourceType, said: str, where: Where) -> str:
        """The leaf that an id, ARN, name or URL means. Raises FakeError for a resource there is not."""
        prefix = _arn(kind, "", where)
        leaf = said.removeprefix(prefix) if said.startswith("arn:") else said
        leaf = leaf.rsplit("/", 1)[-1] if said.startswith("http") else leaf
        steps = leaf.split("/")
        found = _LEAF.fullmatch(steps[-1])
        if not found or int(found[2]) % _PER_REGION >= self.fleet.count(kind) or found[1] != kind.kind:
            raise FakeError(400, "ResourceNotFoundException", f"{kind.kind} {said} does not exist")
        return leaf

    def _get(
        self, model: OperationModel, kind: ResourceType, call: Call, params: Mapping[str, Any], where: Where
    ) -> dict[str, Any]:
        shape = shape_at(model.output_shape, call.out)
        if not call.batch:
            leaf = self._known(kind, self._asked(call, params), where)
            answer = blank(model)
            answer[first_word(call.out)] = self._item(kind, shape, leaf, where)
            return answer
        items, failures = [], []
        for said in params.get(call.batch_param) or []:
            try:
                items.append(self._item(kind, shape, self._known(kind, said, where), where))
            except FakeError:
                failures.append({"arn": said, "reason": "MISSING"})
        # AWS does not promise the order that was asked in.
        return {**place(call.out, items[::-1]), **({call.failed: failures} if call.failed else {})}

    def _asked(self, call: Call, params: Mapping[str, Any]) -> str:
        own = [name for name, value in call.params.items() if "{" in str(value) and "{parent." not in str(value)]
        said = str(params[own[0]])
        above = [name for name, value in call.params.items() if "{parent." in str(value)]
        return f"{params[above[0]]}/{said}" if above and "/" not in said else said

    def _tags(
        self, model: OperationModel, kind: ResourceType, call: Call, params: Mapping[str, Any], where: Where
    ) -> dict[str, Any]:
        answer = blank(model)
        if not call.batch:
            said = str(next(params[name] for name, value in call.params.items() if "{" in str(value)))
            leaf = self._known(kind, said, where)
            shape = shape_at(model.output_shape, call.out, whole=True)
            answer[first_word(call.out)] = tag_value(shape, tags_of(leaf))
            return answer
        shape = shape_at(model.output_shape, call.out)
        rows = []
        for said in params.get(call.batch_param) or []:
            of = self._kind_of(kind, said, where)
            tags = tag_value(shape.members[call.take], tags_of(self._known(of, said, where)))
            rows.append({call.key: said, call.take: tags})
        return place(call.out, rows)

    def _kind_of(self, kind: ResourceType, said: str, where: Where) -> ResourceType:
        """The type that an ARN is of, where one operation serves several (elbv2 describe_tags)."""
        same = [one for one in self._kinds if one.service == kind.service]
        named = [one for one in same if said.startswith(_arn(one, "", where))]
        return next((one for one in named if said.rsplit("/", 1)[-1].startswith(f"{one.kind}-")), kind)

    def _item(self, kind: ResourceType, shape: AnyShape | None, leaf: str, where: Where) -> Any:
        arn = _arn(kind, leaf, where)
        if shape is None or shape.type_name != "structure":
            return _bare(kind, leaf, arn, where)
        item = fill(shape, leaf.rsplit("/", 1)[-1])
        short = leaf.rsplit("/", 1)[-1]
        for name in _names_in(kind, shape):
            item[name] = short
        for hole in re.findall(r"\{(\w+)\}", kind.arn.text if kind.arn.is_template else ""):
            if hole in shape.members:
                item[hole] = where.account if hole == "OwnerId" else leaf
        if not kind.arn.is_template and kind.arn.text in shape.members:
            item[kind.arn.text] = arn
        if kind.state:
            give_state(item, shape, kind.state, leaf)
        if "OwnerId" in shape.members:
            item["OwnerId"] = where.account
        if kind.tags in shape.members:
            item[kind.tags] = tag_value(shape.members[kind.tags], tags_of(leaf))
        return item

    def tagged(self, where: Where) -> list[tuple[str, dict[str, str]]]:
        """ARN and tags of everything that the tagging API knows here."""
        found = list(self._uncatalogued(where))
        for kind in self._kinds:
            if kind.tagging_api and kind.scope == "regional" and not kind.of_parent:
                for leaf in self._leaves(kind, where):
                    if tags_of(leaf):
                        found.append((_arn(kind, leaf, where), tags_of(leaf)))
        return found

    def _uncatalogued(self, where: Where) -> Iterator[tuple[str, dict[str, str]]]:
        numbers = range(self.fleet.uncatalogued if where.region == "us-east-1" else 0)
        for leaf in (f"{number:05d}" for number in numbers):
            yield f"arn:aws:cloudfront::{where.account}:distribution/E{leaf}", tags_of(leaf)
            yield f"arn:aws:route53:::hostedzone/Z{leaf}", tags_of(leaf)


def tags_of(leaf: str) -> dict[str, str]:
    """The tags of a resource by its number: a third Production, every fifth without any."""
    at = int(leaf[-5:])
    if at % 5 == 4:
        return {}
    return {"Environment": ("Production", "Staging", "Development")[at % 3], "Name": leaf.rsplit("/", 1)[-1]}


def _names_in(kind: ResourceType, shape: AnyShape) -> list[str]:
    """The members that id and name are read from."""
    words = [text.text for text in (kind.id, kind.name) if text is not None and not text.is_template]
    return [word for text in words for word in re.findall(r"\w+", text)[:1] if _is_text(shape, word)]


def _is_text(shape: AnyShape, name: str) -> bool:
    return name in shape.members and shape.members[name].type_name == "string"


def _bare(kind: ResourceType, leaf: str, arn: str, where: Where) -> str:
    word = kind.list.out.lower()
    if word.endswith("arns"):
        return arn
    if word.endswith("urls"):
        return f"https://{kind.service}.{where.region}.amazonaws.com/{where.account}/{leaf}"
    return leaf.rsplit("/", 1)[-1]


def _arn(kind: ResourceType, leaf: str, where: Where) -> str:
    filled = kind.shape.replace("{partition}", where.partition).replace("{account}", where.account)
    return filled.replace("{region}", where.region).replace("{uuid}", "0a1b2c3d").replace("{id}", leaf)
