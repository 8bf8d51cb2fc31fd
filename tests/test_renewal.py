"""Scans that outlive their keys: new ones come in time, a list goes on at its page, and refused keys are told apart."""

from __future__ import annotations

import threading
from collections.abc import Callable
from multiprocessing import connection
from multiprocessing.context import AuthenticationError
from typing import Any

import pytest

from scanner.aws.renewal import KeyDesk, KeyRing, ask
from scanner.errors import GapError
from scanner.fakeaws import Directory, FakeAws, Fleet, Rule
from scanner.model import Account, Desk, Job, Keys, Outcome, Unit
from tests.conftest import Bench, records

Start = Callable[..., FakeAws]

ACCOUNT = "444455556666"
ROLE = {"role_arn": f"arn:aws:iam::{ACCOUNT}:role/reader"}
# Of each protocol one, and more pages than the keys are good for.
SERVICES = ["ec2:volume", "sqs", "dynamodb", "lambda", "sns", "s3"]


def scan(bench: Bench, server: FakeAws, executor: str = "serial", **settings: Any) -> tuple[int, list[dict[str, Any]]]:
    said = {"accounts": [ROLE], "services": SERVICES, "regions": ["us-east-1"], "enrich": "none", **settings}
    profile = bench.profile(server.url, execution={"executor": executor, "service_workers": 1}, **said)
    done = bench.here("scan", profile, "--no-cache")
    return done.returncode, records(bench.snapshot())


@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_keys_that_expire_in_mid_page_are_renewed_and_the_list_goes_on_at_that_page(
    bench: Bench, fake: Start, executor: str
) -> None:
    fleet = Fleet(items=12, page_size=2)
    code, whole = scan(bench, fake(fleet))
    assert code == 0
    server = fake(fleet, directory=Directory(key_uses=7))
    assert scan(bench, server, executor) == (0, whole)
    assumed = server.calls["111122223333", "us-east-1", "sts", "assume_role"]
    assert assumed > 3
    # Nothing starts anew: beside each page, only the calls that told of the end of some keys.
    of_ec2 = server.calls[ACCOUNT, "us-east-1", "ec2", "describe_volumes"]
    assert 6 <= of_ec2 <= 6 + assumed
    operations = {one["operation"]: one["calls"] for one in bench.snapshot().manifest["operations"]}
    assert operations["assume_role"] == assumed


def test_keys_that_cannot_be_renewed_leave_gaps_and_keep_what_was_seen(bench: Bench, fake: Start) -> None:
    granted = iter([True])
    directory = Directory(key_uses=3, may_assume=lambda *_: next(granted, False))
    code, found = scan(bench, fake(Fleet(items=12, page_size=2), directory=directory), services=["sqs"])
    assert code == 3
    manifest = bench.snapshot().manifest
    gap = next(line for line in manifest["ledger"] if line["gap"] and line["call"] == "list_queues")
    assert (gap["outcome"], gap["code"]) == ("credentials", "ExpiredTokenException")
    assert "cannot be renewed: AccessDenied" in gap["message"]
    assert len(found) == 3 * 2  # pages that came


def test_keys_of_the_environment_that_expire_are_credentials_not_a_disabled_region(bench: Bench, fake: Start) -> None:
    server = fake(Fleet(items=4, page_size=2), directory=Directory(key_uses=5))
    profile = bench.profile(server.url, services=["sqs"], regions=["us-*"], execution={"executor": "serial"})
    keys = {"AWS_ACCESS_KEY_ID": "ASIA111122223333", "AWS_SESSION_TOKEN": "a-token"}
    assert bench.here("scan", profile, "--no-cache", **keys).returncode == 3
    gaps = [line for line in bench.snapshot().manifest["ledger"] if line["gap"]]
    assert {line["outcome"] for line in gaps} == {"credentials"}
    assert any("there are no others yet" in line["message"] for line in gaps)


def test_keys_that_all_regions_refuse_are_bad_and_those_that_one_refuses_are_good(bench: Bench, fake: Start) -> None:
    invalid = Rule("invalid_key", account=ACCOUNT)
    code, _ = scan(bench, fake(Fleet(items=1), (invalid,)), services=["sqs"], regions=["us-*"])
    assert code == 3
    ledger = bench.snapshot().manifest["ledger"]
    gaps = {(line["region"], line["outcome"]) for line in ledger if line["gap"]}
    assert {outcome for _, outcome in gaps} == {"credentials"}
    assert any("STS does not know the keys either" in line["message"] for line in ledger)

    off = Rule("invalid_key", service="sqs", region="us-west-2", account=ACCOUNT)
    server = fake(Fleet(items=1), (off,))
    code, found = scan(bench, server, services=["sqs"], regions=["us-*"])
    assert (code, [one["region"] for one in found]) == (0, ["us-east-1"])
    outcomes = {line["region"]: line["outcome"] for line in bench.snapshot().manifest["ledger"]}
    assert outcomes["us-west-2"] == "region_disabled"
    assert server.calls[ACCOUNT, "us-east-1", "sts", "get_caller_identity"] == 1


def test_a_disabled_region_that_the_profile_names_is_a_gap(bench: Bench, fake: Start) -> None:
    off = Rule("invalid_key", region="us-west-2", account=ACCOUNT)
    code, _ = scan(bench, fake(Fleet(items=1), (off,)), services=["sqs"], regions=["us-east-1", "us-west-2"])
    assert code == 3
    assert {(line[0], line[3]) for line in bench.gaps()} == {("us-west-2", "region_disabled")}


# The desk and the ring


def unit() -> Unit:
    return Unit(Account(ACCOUNT, "aws", ""), "us-east-1", "us-east-1", "services", "sqs")


def ring(keys: Keys, desk: Desk | None) -> KeyRing:
    class NoClients:
        def get(self, keys: Keys, region: str, service: str) -> object:
            return object()

    return KeyRing(Job((unit(),), keys, desk), NoClients(), None)  # type: ignore[arg-type]


def test_keys_are_renewed_before_they_expire_and_not_at_every_call() -> None:
    asked: list[tuple[str, str]] = []

    def keys_of(account: str, stale: str) -> Keys:
        asked.append((account, stale))
        return Keys("new", "secret", "token", 1.0)  # no younger: the clock of this machine may be wrong

    with KeyDesk(keys_of) as desk:
        held = ring(Keys("old", "secret", "token", 1.0), desk)
        given = [held.client("us-east-1", "sqs")[0].access_key for _ in range(3)]
    assert given == ["new", "new", "new"]
    assert asked == [(ACCOUNT, "old")]


def test_threads_whose_keys_expire_together_ask_once() -> None:
    asked: list[str] = []

    def keys_of(_: str, stale: str) -> Keys:
        asked.append(stale)
        return Keys("new", "secret")

    old = Keys("old", "secret")
    with KeyDesk(keys_of) as desk:
        held = ring(old, desk)
        threads = [threading.Thread(target=held.renew, args=(old,)) for _ in range(8)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    assert asked == ["old"]
    assert held.client("us-east-1", "sqs")[0] == Keys("new", "secret")


def test_the_desk_answers_nobody_without_its_word_and_says_why_there_are_no_keys() -> None:
    def keys_of(_: str, __: str) -> Keys:
        raise GapError(Outcome.CREDENTIALS, "AccessDenied", "no more")

    with KeyDesk(keys_of) as desk:
        with pytest.raises(AuthenticationError), connection.Client(desk.address, authkey=b"guessed"):
            pass
        with pytest.raises(GapError, match="new keys could not be had from the scan's own process"):
            ask(Desk(desk.address, b"guessed"), ACCOUNT, "old")
        with pytest.raises(GapError, match="no more"):
            ask(desk, ACCOUNT, "old")
    with pytest.raises(GapError, match="new keys could not be had"):
        ask(desk, ACCOUNT, "old")
    assert desk.word.hex() not in repr(desk)


def test_a_job_without_a_desk_says_that_its_keys_cannot_be_renewed() -> None:
    with pytest.raises(GapError, match="cannot be renewed"):
        ring(Keys("old", "secret"), None).renew(Keys("old", "secret"))
