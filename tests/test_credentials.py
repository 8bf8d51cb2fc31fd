"""Credentials as AWS's own configuration files give them: botocore's chain works untouched, and can do nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scanner.aws.clients import Clients, chain_session, guarded_session
from scanner.aws.settings import DoorSettings
from scanner.catalog import load_catalog
from scanner.errors import ReadOnlyViolation
from scanner.fakeaws import FakeAws, Fleet
from scanner.model import Keys
from tests.conftest import Bench, records

Start = Callable[..., FakeAws]

ROLE = """
[default]
aws_access_key_id = AKIA111122223333
aws_secret_access_key = fake

[profile audit]
role_arn = arn:aws:iam::444455556666:role/reader
source_profile = default
region = us-east-1
"""


def test_a_profile_with_a_role_is_entered_by_botocores_own_chain(bench: Bench, fake: Callable[..., FakeAws]) -> None:
    server = fake(Fleet(items=2))
    config = bench.folder / "aws-config"
    config.write_text(ROLE)
    profile = bench.profile(
        server.url, accounts=[{"id": "444455556666", "aws_profile": "audit"}], services=["sqs"], regions=["us-east-1"]
    )
    # Role profiles are assumed at the endpoint of the AWS configuration, not at that of the scan profile.
    found = {"AWS_CONFIG_FILE": str(config), "AWS_ENDPOINT_URL": server.url}
    kept = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    done = bench.here("scan", profile, "--no-cache", **found, **kept)
    assert done.returncode == 0, done.stderr
    assert bench.snapshot().manifest["by_account"] == {"444455556666": 2}


def test_accounts_without_credentials_are_named_with_their_place_and_what_to_do(bench: Bench) -> None:
    accounts = [{"name": "one", "aws_profile": "gone"}, {"role_arn": "arn:aws:iam::444455556666:role/reader"}]
    profile = bench.profile("http://127.0.0.1:1", accounts=accounts)
    done = bench.here("scan", profile, "--quiet", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert done.returncode == 4
    one, other = done.stderr.strip().removeprefix("no account has usable credentials: ").split(" | ")
    assert one == (
        f"{profile}:2: one: the AWS configuration has no profile 'gone'; it has none: `aws configure list-profiles`"
    )
    assert other == (
        f"{profile}:4: 444455556666: no credentials were found; set AWS_PROFILE or AWS_ACCESS_KEY_ID, "
        "or give the account a `source_profile` to assume its role from"
    )


@pytest.mark.parametrize("words", [["plan"], ["scan", "--dry-run"]])
def test_a_plan_without_an_account_of_the_profile_is_not_whole(bench: Bench, fake: Start, words: list[str]) -> None:
    done = bench.here(*words, bench.profile(fake().url, accounts=[{}, {"name": "one", "aws_profile": "gone"}]))
    assert done.returncode == 3
    assert "account one: credentials: the AWS configuration has no profile 'gone'; it has none" in done.stderr
    assert "\naccounts\n  111122223333: " in f"\n{done.stdout}"


def test_a_network_that_is_down_is_not_taken_for_bad_credentials(bench: Bench) -> None:
    done = bench.here("scan", bench.profile("http://127.0.0.1:1"), "--quiet")
    assert done.returncode == 4
    assert "Could not connect to the endpoint URL" in done.stderr
    assert done.stderr.strip().endswith(
        "not the credentials but the way to AWS is the trouble: `aws-scanner doctor` looks into it"
    )


def test_the_chains_own_session_can_make_the_calls_of_credential_providers_only() -> None:
    session = chain_session(None)
    client = session.create_client("ec2", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with pytest.raises(ReadOnlyViolation, match="ec2:describe_instances"):
        client.describe_instances()


def test_clients_follow_an_environment_that_changes_to_another_aws_configuration(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for name in ("one", "other"):
        config = bench.folder / name
        config.write_text(f"[default]\nservices = here\n[services here]\nsqs =\n  endpoint_url = https://{name}.test\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        client = Clients(DoorSettings(), load_catalog().operations()).get(Keys("a", "b"), "us-east-1", "sqs")
        found.append(client.meta.endpoint_url)
    assert found == ["https://one.test", "https://other.test"]


def test_clients_follow_any_variable_of_the_environment_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for value in ("false", "true", "false"):
        monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", value)
        client = Clients(DoorSettings(), load_catalog().operations()).get(Keys("a", "b"), "us-east-1", "sqs")
        found.append(client.meta.endpoint_url)
    plain, fips = "https://sqs.us-east-1.amazonaws.com", "https://sqs-fips.us-east-1.amazonaws.com"
    assert found == [plain, fips, plain]


def test_a_variable_that_changes_no_client_makes_no_other_session(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = load_catalog().operations()
    before = guarded_session(allowed)
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2026-01-01T00:00:00Z")
    assert guarded_session(allowed) is before
    monkeypatch.setenv("AWS_SDK_UA_APP_ID", "other")
    other = guarded_session(allowed)
    assert other is not before
    assert other.get_component("data_loader") is before.get_component("data_loader")


@pytest.mark.parametrize("place", ["environment", "configuration"])
def test_the_sdks_other_defaults_are_taken(bench: Bench, fake: Callable[..., FakeAws], place: str) -> None:
    profile = bench.profile(fake(Fleet(items=1)).url, regions=["us-east-1"], services=["sqs", "s3"])
    config = bench.folder / "config"
    config.write_text("[default]\ndefaults_mode = standard\n")
    said = {"AWS_DEFAULTS_MODE": "standard"} if place == "environment" else {"AWS_CONFIG_FILE": str(config)}
    done = bench.run("scan", profile, "--quiet", **said)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(bench.gaps()) == 0 < len(records(bench.snapshot()))


def test_a_variable_of_the_sdks_that_cannot_be_read_and_is_not_needed_costs_nothing(
    bench: Bench, fake: Callable[..., FakeAws]
) -> None:
    profile = bench.profile(fake(Fleet(items=1)).url, regions=["us-east-1"], services=["sqs"])
    done = bench.here("scan", profile, "--quiet", AWS_MAX_ATTEMPTS="many")
    assert (done.returncode, done.stderr) == (0, "")
