"""Print the least IAM policy that scanning a profile needs, as JSON, derived from the catalog.

Examples: aws-scanner iam-policy prod; aws-scanner iam-policy prod --set enrich=none
"""

from __future__ import annotations

import typer

from scanner.cli.groups import spread
from scanner.cli.options import PROFILE, Selection

NAME = "iam-policy"


@spread
def run(selection: Selection, profile: PROFILE = None) -> None:
    """Entry of `aws-scanner iam-policy`."""
    import orjson

    from scanner.access import offline_accounts
    from scanner.cli.overrides import load
    from scanner.plan import needs_region_list, plan, region_patterns

    loaded = load(profile, selection)
    catalog = loaded.catalog
    units = plan(loaded.profile, catalog, offline_accounts(loaded.profile, catalog))
    kinds = {(unit.service, kind) for unit in units for kind in unit.types}
    tagging = any(unit.collector == "tagging" for unit in units)
    enrich = any(unit.enrich for unit in units)
    actions = {*catalog.iam_actions([catalog.type_of(*key) for key in kinds], enrich=enrich, tagging=tagging)}
    if any(needs_region_list(region_patterns(loaded.profile, one)) for one in loaded.profile.accounts):
        actions.add("ec2:DescribeRegions")
    statement = {"Sid": "AwsScanner", "Effect": "Allow", "Action": sorted(actions), "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    typer.echo(orjson.dumps(policy, option=orjson.OPT_INDENT_2).decode())
