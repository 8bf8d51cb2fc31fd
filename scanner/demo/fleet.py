"""The demo fleet as data: two accounts, four regions, three applications in three environments, and their tags."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

BASE_ACCOUNT = "111122223333"
SECOND_ACCOUNT = "444455556666"
ACCOUNTS = (BASE_ACCOUNT, SECOND_ACCOUNT)
REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "ap-southeast-2")
ROLE_NAME = "aws-scanner-readonly"
ROLE_ARN = f"arn:aws:iam::{SECOND_ACCOUNT}:role/{ROLE_NAME}"
RANDOM_SEED = 42

ENVIRONMENTS = ("Production", "Staging", "Development")
_APPLICATIONS = {BASE_ACCOUNT: ("web", "orders", "billing"), SECOND_ACCOUNT: ("search", "media", "reports")}
_COST_CENTERS = {
    "web": "1001",
    "orders": "1002",
    "billing": "1003",
    "search": "2001",
    "media": "2002",
    "reports": "2003",
}

# Legal tag values that have broken a report somewhere: markup, tables, HTML, text direction, spreadsheet formulas.
HOSTILE_VALUES = ("[/x]", "a|b `c` |", "<script>alert(1)</script>", "\u202egpj.exe", "=1+1", "[red]not red[/red]")

Tags = dict[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the demo's server sees it: boto3 client and API operation, account and region."""

    service: str
    operation: str
    account: str
    region: str


# The one call that is refused, and the ARN's resource part that AWS's message names.
DENIED = Asked("rds", "DescribeDBClusterSnapshots", SECOND_ACCOUNT, "ap-southeast-2")
DENIED_RESOURCE = "cluster-snapshot:*"


@dataclass(frozen=True, slots=True)
class Stack:
    """One application in one environment of an account and region: what is built together and tagged alike."""

    account: str
    region: str
    app: str
    environment: str

    @property
    def name(self) -> str:
        """The prefix of everything in this stack: "orders-production"."""
        return f"{self.app}-{self.environment.lower()}"

    @property
    def is_production(self) -> bool:
        """Whether this is the larger, fully furnished kind of stack."""
        return self.environment == "Production"

    @property
    def size(self) -> int:
        """How many of the things that come in numbers."""
        return 2 if self.is_production else 1

    def tags(self, name: str = "") -> Tags:
        """The company's tags, with a Name where the resource has no name of its own."""
        own = {"Name": name} if name else {}
        return own | {
            "Environment": self.environment,
            "Application": self.app,
            "CostCenter": _COST_CENTERS[self.app],
        }


def stacks(account: str, region: str) -> Iterator[Stack]:
    """The three stacks of an account in a region; which application is in which environment differs by region."""
    apps = _APPLICATIONS[account]
    turn = REGIONS.index(region)
    for number, environment in enumerate(ENVIRONMENTS):
        yield Stack(account, region, apps[(number + turn) % len(apps)], environment)


def pairs(tags: Tags, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """Tags as the list of pairs most services want; the names of its members differ."""
    return [{key: name, value: text} for name, text in tags.items()]
