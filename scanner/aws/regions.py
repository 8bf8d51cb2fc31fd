"""Which regions an account has: asked of account:ListRegions, else of ec2:DescribeRegions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from scanner.aws.calls import Lane
from scanner.aws.outcomes import one_line
from scanner.catalog.spec import Call
from scanner.errors import GapError
from scanner.model import Outcome

LIST_REGIONS = Call(
    service="account",
    operation="list_regions",
    api="ListRegions",
    out="Regions",
    input_tokens=("NextToken",),
    output_tokens=("NextToken",),
    size_param="MaxResults",
    size=50,
    iam=("account:ListRegions",),
)
DESCRIBE_REGIONS = Call(
    service="ec2", operation="describe_regions", api="DescribeRegions", iam=("ec2:DescribeRegions",)
)
SOURCES = (LIST_REGIONS, DESCRIBE_REGIONS)

# Where a partition's global services are called (IAM's endpoints); a partition that is not here: its first region.
GLOBAL_HOMES = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-iso": "us-iso-east-1",
    "aws-iso-b": "us-isob-east-1",
    "aws-iso-e": "eu-isoe-west-1",
    "aws-iso-f": "us-isof-south-1",
    "aws-eusc": "eusc-de-east-1",
}
_REGION = re.compile(r"[a-z0-9-]{1,40}")
NOT_OPTED_IN = "not-opted-in"
# account:ListRegions in the words of ec2:DescribeRegions.
_WORDS = {"ENABLED": "opted-in", "ENABLED_BY_DEFAULT": "opt-in-not-required", "DISABLED": NOT_OPTED_IN}


Refusals = list[tuple[Call, GapError]]


def region_statuses(lane_to: Callable[[str], Lane], refused: Refusals) -> tuple[dict[str, str], Call | None]:
    """Every region with its opt-in status ("" where the answer has none), and the call that told.

    `lane_to` gives a lane to a service. Where no call was answered, there is none; `refused` gets the reasons.
    """
    for call, asked in ((LIST_REGIONS, _of_account), (DESCRIBE_REGIONS, _of_ec2)):
        try:
            if statuses := asked(lane_to(call.service)):
                return statuses, call
        except GapError as gap:
            refused.append((call, gap))
    return {}, None


def _of_account(lane: Lane) -> dict[str, str]:
    found = [one for page in lane.pages(LIST_REGIONS, {}) for one in page.get("Regions", [])]
    return _sorted((_name(LIST_REGIONS, one.get("RegionName")), str(one.get("RegionOptStatus") or "")) for one in found)


def _of_ec2(lane: Lane) -> dict[str, str]:
    found = lane.once(DESCRIBE_REGIONS, {"AllRegions": True}).get("Regions", [])
    return _sorted((_name(DESCRIBE_REGIONS, one.get("RegionName")), str(one.get("OptInStatus") or "")) for one in found)


def _sorted(found: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name: _WORDS.get(status, status.lower().replace("_", "-")) for name, status in sorted(found)}


def _name(call: Call, name: object) -> str:
    """A region's name, which becomes part of file names. Raises GapError for one that is none."""
    if not _REGION.fullmatch(str(name)):
        message = f"{call.iam[0]} gave no name of a region: {one_line(str(name))}"
        raise GapError(Outcome.MALFORMED, "NoRegion", message)
    return str(name)


def is_enabled(status: str) -> bool:
    """Whether a region of this opt-in status may be used; one that is being switched answers for itself."""
    return status != NOT_OPTED_IN
