"""Which regions an account has enabled, asked of AWS."""

from __future__ import annotations

from scanner.aws.calls import Lane
from scanner.catalog.spec import Call

DESCRIBE_REGIONS = Call(
    service="ec2", operation="describe_regions", api="DescribeRegions", iam=("ec2:DescribeRegions",)
)


def enabled_regions(lane: Lane) -> tuple[str, ...]:
    """The enabled regions of the lane's account, sorted (ec2 DescribeRegions lists those only). Raises GapError."""
    answer = lane.once(DESCRIBE_REGIONS, {})
    return tuple(sorted(region["RegionName"] for region in answer.get("Regions", [])))
