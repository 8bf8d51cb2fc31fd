"""The options of `scan` and the commands around it: their names and help, and what was asked, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from scanner.cli import words

PROFILE = Annotated[
    str | None,
    typer.Argument(
        autocompletion=words.profiles,
        metavar="PROFILE",
        help="A scan profile: a name (config/NAME.yaml) or a path. Without one, the account of the ambient "
        "credentials is scanned in all its enabled regions.",
    ),
]
SET = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Any setting of a profile: --set retry.max_attempts=7. Repeatable."
    ),
]
REGIONS = Annotated[
    list[str] | None,
    typer.Option(
        "--regions",
        "-r",
        autocompletion=words.regions,
        metavar="REGIONS",
        help="Regions, with commas or repeated: names, globs ('eu-*'), `enabled`, exclusions ('!us-*'). They hold for "
        "every account. Default: the profile's, else all that the account has enabled; AWS_REGION does not limit them.",
    ),
]
SERVICE = Annotated[
    list[str] | None,
    typer.Option(
        "--service",
        "-s",
        autocompletion=words.services,
        metavar="SERVICES",
        help="Services and types, with commas or repeated: ec2, vpc, ec2:instance, AWS::S3::Bucket, 'ecs:*', "
        "'!ec2:snapshot'. `aws-scanner types` lists them. Default: the profile's, else all.",
    ),
]
AWS_PROFILE = Annotated[
    str | None,
    typer.Option(
        "--profile",
        "-p",
        autocompletion=words.aws_profiles,
        metavar="NAME",
        help="The AWS profile (~/.aws/config) to start from, as AWS_PROFILE: it is used wherever the scan profile "
        "names no credentials, and refused where it names them for every account.",
    ),
]
TAG_KEY = Annotated[
    list[str] | None,
    typer.Option(
        "--tag-key",
        metavar="KEY",
        help="Only resources with this tag; with --tag-value, only with one of these values. Case-sensitive; globs.",
    ),
]
TAG_VALUE = Annotated[
    list[str] | None,
    typer.Option(
        "--tag-value",
        metavar="VALUES",
        help="Only resources with one of these tag values (commas or repeated; globs), under --tag-key or, without it, "
        "under any key. Both options together replace the profile's `tags`.",
    ),
]
ALL_SERVICES = Annotated[
    bool | None,
    typer.Option(
        "--all-services",
        help="Ask the Resource Groups Tagging API: tagged resources of every service, those outside the catalog too.",
    ),
]
COLLECTOR = Annotated[
    str | None,
    typer.Option(
        "--collector",
        metavar="NAME",
        help="Who is asked: auto (default), services (each service itself), tagging (the tagging API), both.",
    ),
]
ENRICH = Annotated[
    list[str] | None,
    typer.Option(
        "--enrich",
        metavar="WHAT",
        help="Extra calls per resource (policies, encryption, tags): all (default), none, or types with commas.",
    ),
]
INCLUDE_SENSITIVE = Annotated[
    bool | None,
    typer.Option(
        "--include-sensitive",
        help="Write secrets (values of variables, user data, passwords) into records instead of (redacted). In CI only "
        "where the profile says `include_sensitive: true`.",
    ),
]
MAX_WORKERS = Annotated[
    int | None,
    typer.Option(
        "--max-workers",
        "-w",
        metavar="N",
        help="Regions scanned side by side, 1-20: worker processes at the most (default 8, at most two per core).",
    ),
]
SERVICE_WORKERS = Annotated[
    int | None,
    typer.Option(
        "--service-workers",
        metavar="N",
        help="Threads in each worker, 1-10 (default 8; a profile may ask for up to 32).",
    ),
]
CACHE = Annotated[
    bool | None,
    typer.Option("--cache/--no-cache", help="Use answers of the last minutes (default: yes, for 10 minutes)."),
]
MIN_RESOURCES = Annotated[
    int | None,
    typer.Option(
        "--min-resources", metavar="N", min=0, help="Exit 1 where a complete scan finds fewer resources than this."
    ),
]
OUTPUT = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write the resources to FILE, `-` for stdout, beside the reports of the scan. The format is that of "
        "--format, else of the file's ending (.json .jsonl .md .csv .txt); without an ending json.",
    ),
]
FORMAT = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        autocompletion=words.formats,
        metavar="NAME",
        help="table (default; the first 200 resources), json, jsonl, md or markdown, csv, iam-missing. "
        "Without --output to stdout.",
    ),
]
RESUME = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with the newest scan of this profile that was killed, stopped or left gaps: ask only what it does "
        "not know. Where there is none, scan all.",
    ),
]
SHARD = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="N/OF",
        help="Scan a stable part of the plan, as 3/10. `aws-scanner merge` makes one snapshot of all parts.",
    ),
]
DRY_RUN = Annotated[
    bool,
    typer.Option("--dry-run", help="Show what would be scanned and stop: one STS call per account, and its regions."),
]
QUIET = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="No panels, progress, table or summary: only data asked for, errors, exit code."
    ),
]


@dataclass(frozen=True, slots=True)
class Selection:
    """What is scanned, as whom and how: settings of a profile that the command line may say otherwise."""

    regions: REGIONS = None
    service: SERVICE = None
    aws_profile: AWS_PROFILE = None
    tag_key: TAG_KEY = None
    tag_value: TAG_VALUE = None
    all_services: ALL_SERVICES = None
    collector: COLLECTOR = None
    enrich: ENRICH = None
    include_sensitive: INCLUDE_SENSITIVE = None
    max_workers: MAX_WORKERS = None
    service_workers: SERVICE_WORKERS = None
    cache: CACHE = None
    min_resources: MIN_RESOURCES = None
    settings: SET = None


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of the plan is scanned: all, a part of it, or what an earlier scan left open."""

    resume: RESUME = False
    shard: SHARD = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where the resources go, and as what, beside the reports that every scan writes."""

    output: OUTPUT = None
    format_: FORMAT = None
