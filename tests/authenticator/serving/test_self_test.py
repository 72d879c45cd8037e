"""A worker tests all that a login needs, reports failures, and recovers."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

import pytest

from authenticator.aws.sts_hosts import sts_hosts
from authenticator.serving import self_test
from authenticator.serving.admission_peers import AdmissionPeers
from authenticator.serving.certificates.pair import ServerCertificate, Wanted, load_or_create
from authenticator.serving.internal_errors import InternalErrors
from authenticator.serving.self_test import SelfTest
from authenticator.serving.tls import LiveContext
from authenticator.verdicts import memory, table
from authenticator.verdicts.table import SharedTable

HOSTS = sts_hosts("aws", (), ())


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> ServerCertificate:
    wanted = Wanted(hostname="localhost", address="127.0.0.1")
    return load_or_create(tmp_path_factory.mktemp("state"), wanted, datetime.now(timezone.utc))


@pytest.fixture
def timer() -> Time:
    return Time()


@pytest.fixture
def tested(pair: ServerCertificate, timer: Time) -> SelfTest:
    live = LiveContext(pair.certificate, pair.key, AdmissionPeers(pair.key.parent))
    return SelfTest(HOSTS, lambda: live.current, lambda: pair.pem, timer=timer)


def test_a_worker_that_works_has_no_faults(tested: SelfTest) -> None:
    assert tested.faults() == ()


def refuse(*_arguments: object, **_keywords: object) -> None:
    raise ValueError("[digital envelope routines] unsupported")


def forget(_table: SharedTable, _key: bytes, _now: float) -> None:
    return None


class Broken(NamedTuple):
    owner: object
    name: str
    by: Callable[..., object]
    fault: str


@pytest.mark.parametrize(
    "broken",
    [
        Broken(memory, "sha256", refuse, "hash functions"),
        Broken(SharedTable, "_mac", refuse, "the shared table"),
        Broken(SharedTable, "get", forget, "the shared table"),
        Broken(self_test.presigned, "check", refuse, "the parsers"),
        Broken(self_test.review, "parse", refuse, "the parsers"),
        Broken(ssl.SSLContext, "wrap_bio", refuse, "TLS"),
    ],
    ids=["hash", "MAC", "table", "token", "review", "TLS"],
)
def test_what_a_login_needs_is_noticed_when_it_fails_and_when_it_is_back(
    tested: SelfTest, timer: Time, monkeypatch: pytest.MonkeyPatch, broken: Broken
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(broken.owner, broken.name, broken.by)
        assert any(f"self-test of {broken.fault} failed" in one for one in tested.faults())
    # A probe soon after costs nothing.
    assert tested.faults() != ()
    timer.now += 10
    assert tested.faults() == ()


def test_another_certificate_than_the_one_in_use_is_noticed(
    pair: ServerCertificate, tmp_path: Path
) -> None:
    wanted = Wanted(hostname="localhost", address="127.0.0.1")
    other = load_or_create(tmp_path, wanted, datetime.now(timezone.utc))
    live = LiveContext(pair.certificate, pair.key, AdmissionPeers(pair.key.parent))
    tested = SelfTest(HOSTS, lambda: live.current, lambda: other.pem)
    assert tested.faults() == ("self-test of TLS failed: ValueError: another certificate is shown",)


def test_a_python_with_approved_hash_functions_only_works(
    tested: SelfTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("md5", "sha1", "blake2b", "blake2s"):
        monkeypatch.setattr(hashlib, name, refuse)
        monkeypatch.setattr(table, name, refuse, raising=False)
    assert tested.faults() == ()


class Counts:
    def __init__(self) -> None:
        self.results: list[str] = []

    def observe_review(self, result: str, _seconds: float) -> None:
        self.results.append(result)


def test_internal_errors_without_a_login_between_them_make_a_worker_unready(timer: Time) -> None:
    """Every valid login was answered 500, and /readyz said 200."""
    counts = Counts()
    errors = InternalErrors(counts, timer=timer)
    for result in ("internal_error", "internal_error", "success", "internal_error"):
        errors.observe_review(result, 0.1)
    assert errors.faults() == []
    for result in ("invalid_token", "internal_error", "sts_error", "internal_error"):
        errors.observe_review(result, 0.1)
    assert "3 reviews failed with an internal error" in errors.faults()[0]
    assert len(counts.results) == 8
    errors.observe_review("success", 0.1)
    assert errors.faults() == []


def test_internal_errors_of_long_ago_are_forgotten(timer: Time) -> None:
    errors = InternalErrors(Counts(), timer=timer)
    for _ in range(3):
        errors.observe_review("internal_error", 0.1)
    timer.now += 601
    assert errors.faults() == []
