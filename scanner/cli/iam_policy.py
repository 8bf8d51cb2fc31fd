"""Print the least IAM policy that scanning a profile needs, derived from the catalog.

It has the actions of the calls that a scan makes, and no other; nothing is asked of AWS. STS's GetCallerIdentity needs
no permission, sts:AssumeRole belongs to the policy of whoever assumes the role. Above IAM's 6,144 characters it is a
list of policies, to be attached together.

\b
Examples:
  aws-scanner iam-policy prod
  aws-scanner iam-policy prod --set enrich=none
  aws-scanner iam-policy prod --format terraform > aws-scanner.tf.json
  aws-scanner iam-policy prod --format cloudformation > aws-scanner.json
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from scanner.cli.groups import spread
from scanner.cli.options import PROFILE, Selection


@spread
def run(
    selection: Selection,
    profile: PROFILE = None,
    form: Annotated[
        str, typer.Option("--format", "-f", help="json, terraform (a .tf.json file) or cloudformation.")
    ] = "json",
) -> None:
    """Entry of `aws-scanner iam-policy`."""
    from scanner.access import offline_accounts
    from scanner.catalog.policies import policies
    from scanner.cli.overrides import load
    from scanner.deploy import FORMATS, SID, rendered
    from scanner.plan import actions_needed, plan
    from scanner.profile.problems import nearest

    problems: list[str] = []
    if form not in FORMATS:
        near = nearest(form.lower(), FORMATS)
        problems.append(f"command line: --format: unknown format {form!r}{near}; there are: {', '.join(FORMATS)}")
    loaded = load(profile, selection, problems)
    units = plan(loaded.profile, loaded.catalog, offline_accounts(loaded.profile, loaded.catalog))
    actions = actions_needed(loaded.profile, loaded.catalog, units)
    typer.echo(rendered(actions, form))
    parts = len(policies(actions, SID))
    if parts > 1:
        sys.stderr.write(f"{len(actions):,} actions are more than one policy holds: {parts} policies, attach all\n")
