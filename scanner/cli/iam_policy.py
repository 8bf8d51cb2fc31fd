"""Print the least IAM policy that scanning a profile needs, derived from the catalog.

It has the actions of the calls that a scan makes, and no other; nothing is asked of AWS. STS's GetCallerIdentity needs
no permission, sts:AssumeRole belongs to the policy of whoever assumes the role. Above IAM's 6,144 characters it is a
list of policies, to be attached together. Of an organization, the role in each account needs the policy of --for
members alone; whoever lists the accounts needs that of --for listing too.

\b
Examples:
  aws-scanner iam-policy prod
  aws-scanner iam-policy organization --for members
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
from scanner.cli.voice import complain

_WHOSE = ("members", "listing")


@spread
def run(
    selection: Selection,
    profile: PROFILE = None,
    form: Annotated[
        str, typer.Option("--format", "-f", help="json, terraform (a .tf.json file) or cloudformation.")
    ] = "json",
    whose: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="WHOM",
            help="Of an organization: members (the role in each account) or listing (who lists them); default: both.",
        ),
    ] = None,
) -> None:
    """Entry of `aws-scanner iam-policy`."""
    from scanner.access import offline_accounts
    from scanner.catalog.policies import policies
    from scanner.cli.overrides import load
    from scanner.deploy import FORMATS, SID, rendered
    from scanner.errors import ProfileError
    from scanner.plan import actions_needed, listing_actions, plan
    from scanner.profile.problems import nearest

    problems: list[str] = []
    for option, what, word, known in (("--format", "format ", form, FORMATS), ("--for", "", whose, _WHOSE)):
        if word is not None and word not in known:
            near = nearest(word, known)
            problems.append(f"command line: {option}: unknown {what}{word!r}{near}; there are: {', '.join(known)}")
    loaded = load(profile, selection, problems)
    units = plan(loaded.profile, loaded.catalog, offline_accounts(loaded.profile, loaded.catalog))
    listing = listing_actions(loaded.profile)
    actions = actions_needed(loaded.profile, loaded.catalog, units, with_listing=whose != "members")
    if whose is not None and not listing:
        raise ProfileError(["command line: --for: would be ignored: the profile lists no organization"])
    if whose == "listing":
        actions = listing
    elif listing and whose is None:
        complain("what lists the accounts is in it too; the role in each account needs only: --for members")
    typer.echo(rendered(actions, form))
    parts = len(policies(actions, SID))
    if parts > 1:
        sys.stderr.write(f"{len(actions):,} actions are more than one policy holds: {parts} policies, attach all\n")
