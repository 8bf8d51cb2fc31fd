"""The catalog, compiled: what the engine follows. YAML is for people, these frozen values are for the program."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Steps = tuple[str, ...]

_STEP = re.compile(r'"([^"]+)"|(\[\]|\*|[A-Za-z_]\w*)')
RESERVED_HOLES = ("partition", "region", "account", "item", "parent", "id", "arn", "name")


@dataclass(frozen=True, slots=True)
class Text:
    """A value taken from an item: a JMESPath expression, or a template with {holes} (`is_template`)."""

    text: str
    is_template: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One operation as the engine calls it; everything that botocore's model knows is already resolved here.

    `params` holds values with {holes}; `out` is the JMESPath of the items on one page ("" = the whole answer).
    `input_tokens[i]` is a parameter, `output_tokens[i]` a JMESPath on the page; empty for a single-page operation.
    `size_param`/`size`: the page-size parameter and its declared maximum (or the catalog's), "" and 0 if none.
    """

    service: str  # botocore client: "elbv2"
    operation: str  # boto3 method: "describe_load_balancers"
    api: str  # botocore operation: "DescribeLoadBalancers"
    params: Mapping[str, Any] = field(default_factory=dict)
    out: str = ""
    batch: int = 0  # 0: one call per item
    batch_param: str = ""  # the one list parameter that holds a template, where batch > 0
    key: str = ""  # JMESPath on an answer of a batch: joins it to the item whose batch value it equals
    take: str = ""  # JMESPath on the answer: what is taken of it
    input_tokens: tuple[str, ...] = ()
    output_tokens: tuple[str, ...] = ()
    more: str = ""  # JMESPath on the page: truthy while there are more pages ("IsTruncated"), where the model has one
    size_param: str = ""
    size: int = 0
    failed: str = ""  # JMESPath of partial failures in a 200
    none: tuple[str, ...] = ()  # error codes that mean "absent, and that is the answer"
    off: tuple[str, ...] = ()  # error codes that mean "this service is not enabled here"
    iam: tuple[str, ...] = ()  # IAM actions it needs: ("ec2:DescribeInstances",)


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One resource type: where it comes from (of, list, get), what it is (id, arn ...), what may be added (extra)."""

    service: str  # botocore client: "elbv2"
    namespace: str  # in ARNs and type names: "elasticloadbalancing"
    kind: str  # "loadbalancer"
    scope: str  # "regional" | "global"
    home: str  # the region a global service is called in, "" = the partition's default
    list: Call
    id: Text | None  # None: the ARN's own resource part after the kind
    arn: Text
    of_parent: str = ""  # kind of the parent in the same service
    of_literals: tuple[str, ...] = ()
    get: Call | None = None
    get_is_extra: bool = False  # one call per item that identifies nothing: skipped where enrichment is off
    where: str = ""
    owned: str = ""
    name: Text | None = None
    tags: str = ""  # JMESPath of tags in the item; "" and no call: nobody says where they are
    tags_call: Call | None = None
    created: str = ""
    state: str = ""
    extra: Mapping[str, Call] = field(default_factory=dict)  # `with` in YAML: field -> CALL
    redact: tuple[str, ...] = ()  # what the entry says, and whatever botocore marks as sensitive besides
    reveal: tuple[str, ...] = ()  # marked by botocore, and shown on purpose
    volatile: tuple[str, ...] = ()
    cfn: str = ""
    shape: str = ""  # the ARN as a template whose last hole is {id}; reversed, it names the type of an ARN
    tagging_api: bool = True  # whether GetResources covers this type
    untagged: bool = False  # AWS has no tags for this type (`tags: {}` in YAML)

    @property
    def resource_type(self) -> str:
        """The name in records, profiles and reports: "ec2:instance"."""
        return f"{self.namespace}:{self.kind}"

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call this type may make, in the order it makes them."""
        optional = [self.get, self.tags_call, *self.extra.values()]
        return (self.list, *(call for call in optional if call is not None))


def steps_of(path: str) -> Steps:
    """A path of `redact` step by step: 'a[].b.*' is a, [], b, *; a name that is no word stands in quotation marks."""
    return tuple(quoted or plain for quoted, plain in _STEP.findall(path))
