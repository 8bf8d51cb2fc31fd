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
    from scanner.plan import actions_needed, plan

    loaded = load(profile, selection)
    catalog = loaded.catalog
    units = plan(loaded.profile, catalog, offline_accounts(loaded.profile, catalog))
    actions = actions_needed(loaded.profile, catalog, units)
    statement = {"Sid": "AwsScanner", "Effect": "Allow", "Action": list(actions), "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    typer.echo(orjson.dumps(policy, option=orjson.OPT_INDENT_2).decode())
