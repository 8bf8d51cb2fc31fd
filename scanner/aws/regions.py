"""Which regions an account has enabled, asked of AWS."""

from __future__ import annotations

from scanner.aws.calls import Lane
from scanner.catalog.spec import Call

DESCRIBE_REGIONS = Call(
    service="ec2", operation="describe_regions", api="DescribeRegions", iam=("ec2:DescribeRegions",)
)
NOT_OPTED_IN = "not-opted-in"


def enabled_regions(lane: Lane) -> tuple[str, ...]:
    """The enabled regions of the lane's account, sorted (ec2 DescribeRegions lists those only). Raises GapError."""
    answer = lane.once(DESCRIBE_REGIONS, {})
    return tuple(sorted(region["RegionName"] for region in answer.get("Regions", [])))


def region_statuses(lane: Lane) -> dict[str, str]:
    """Every region of the lane's account with its opt-in status ("" where the answer has none). Raises GapError."""
    answer = lane.once(DESCRIBE_REGIONS, {"AllRegions": True})
    found = {str(one["RegionName"]): str(one.get("OptInStatus") or "") for one in answer.get("Regions", [])}
    return dict(sorted(found.items()))


def is_enabled(status: str) -> bool:
    """Whether a region of this opt-in status can be used."""
    return status != NOT_OPTED_IN
