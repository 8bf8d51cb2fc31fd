"""What moto does not take from its clock or its seeded ids is set right here, so that two fleets are alike."""

from __future__ import annotations

from datetime import UTC, datetime


def settle(account: str, region: str, now: datetime) -> None:
    """Give what was built since the last call a date of the fleet's own time, and default rules a lasting id."""
    _date(account, region, now.replace(tzinfo=UTC))
    _name_default_rules(account, region)


def _date(account: str, region: str, now: datetime) -> None:
    # These four read the wall clock; all that was settled before is older than `now`.
    from moto.autoscaling.models import autoscaling_backends
    from moto.efs.models import efs_backends
    from moto.elb.models import elb_backends
    from moto.s3.models import s3_backends

    for bucket in s3_backends[account]["aws"].buckets.values():
        bucket.creation_date = min(bucket.creation_date, now)
    for balancer in elb_backends[account][region].load_balancers.values():
        balancer.created_time = min(balancer.created_time, now)
    for group in autoscaling_backends[account][region].autoscaling_groups.values():
        group.created_time = min(group.created_time, now.replace(tzinfo=None).isoformat())
    for system in efs_backends[account][region].file_systems_by_id.values():
        system.creation_time = min(system.creation_time, now.timestamp())


def _name_default_rules(account: str, region: str) -> None:
    # moto puts the address of a Python object into the ARN of a default rule; AWS has 16 hexadecimal digits there.
    from moto.elbv2.models import elbv2_backends

    for balancer in elbv2_backends[account][region].load_balancers.values():
        for listener in balancer.listeners.values():
            listener_id = listener.arn.rpartition("/")[2]
            for rule in listener.rules.values():
                if rule.is_default:
                    rule.arn = f"{rule.arn.rpartition('/')[0]}/{listener_id[::-1]}"
