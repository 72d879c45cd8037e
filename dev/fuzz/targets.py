"""What must hold for any bytes at all: no exception but ours, and no grant.

Each target takes bytes and returns or raises what it found. No fuzzer is imported here, so that
tests can run the same.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from authenticator.admission.judge import Judge, Policy, Surroundings
from authenticator.admission.review import parse
from authenticator.aws.arns import CallerIdentity, PrincipalArn
from authenticator.aws.sts import read_answer
from authenticator.aws.sts_hosts import sts_hosts
from authenticator.display import is_printable, printable
from authenticator.editing.lockout import Elsewhere
from authenticator.errors import Denied, MalformedRequest, NotProven, TokenRefused, Unavailable
from authenticator.lint import Context, lint_file
from authenticator.lint.lookalikes import kubernetes_name, skeletons
from authenticator.login import Login
from authenticator.mapping.files import AwsAuthData
from authenticator.mapping.guards import Guard, unusable
from authenticator.mapping.nodes import Text
from authenticator.mapping.ruleset import RuleSet
from authenticator.mapping.sections import SectionReader
from authenticator.serving.audit import AuditRecord
from authenticator.serving.reviews import Reviews
from authenticator.tokens import jwks, jwt, presigned
from authenticator.tokens.jwt import Issuer, JwtPolicy
from authenticator.tokens.presigned import PresignedRequest
from authenticator.verdicts.budget import Budget
from authenticator.verdicts.limits import Limits
from authenticator.verdicts.memory import Remembering
from authenticator.verdicts.prover import Prover
from authenticator.verdicts.verdict import Proven, decode, encode
from tests.corpus import forge, jwts

NOW = 1_790_000_000.0
HOSTS = sts_hosts("aws")
# The first byte of an input says how the rest is meant.
RAW, WRAPPED = b"\x00", b"\x01"

_PREFIX = "k8s-aws-v1."
_ENDLESS = 1e12
_FULL = "- rolearn: arn:aws:iam::111122223333:role/Node\n  username: node\n"
_REQUEST = presigned.check(forge.token({}, now=NOW), now=NOW, hosts=HOSTS)
_POLICY = JwtPolicy(
    issuers={jwts.ISSUER: Issuer(jwts.ISSUER, jwts.ACCOUNT)},
    audiences=frozenset({jwts.AUDIENCE}),
    algorithms=frozenset(jwks.Algorithm),
    max_age_seconds=900,
    partition="aws",
)
_KEYS = jwks.parse(json.dumps(jwts.own_keys().jwks()).encode())


class Finding(Exception):
    """Something that must not be."""


def token(data: bytes) -> None:
    """Check a token's text: the rest as it stands (`RAW`), or as the URL inside (`WRAPPED`)."""
    text = data[1:].decode("utf-8", "surrogateescape")
    if data[:1] == WRAPPED:
        text = _PREFIX + base64.urlsafe_b64encode(data[1:]).decode().rstrip("=")
    try:
        request = presigned.check(text, now=NOW, hosts=HOSTS)
    except TokenRefused as error:
        if error.check not in presigned.CHECKS:
            raise Finding(f"an unknown check: {error.check}") from error
        return
    _examine(request, text)


def _examine(request: PresignedRequest, text: str) -> None:
    """What passes is in our form: what is sent to STS would pass again, and means the same."""
    if HOSTS.get(request.host.name) is not request.host:
        raise Finding("a host that is none of ours")
    if not NOW - presigned.VALID_SECONDS < request.signed_at <= NOW + presigned.MAX_AHEAD_SECONDS:
        raise Finding("a date that is out of bounds")
    url = f"https://{request.host.name}{request.target}"
    again = _PREFIX + base64.urlsafe_b64encode(url.encode("ascii")).decode().rstrip("=")
    if len(again) > presigned.MAX_TOKEN_BYTES:
        return
    if presigned.check(again, now=NOW, hosts=HOSTS) != request:
        raise Finding("what is sent to STS is not what was checked")
    if len(text) > presigned.MAX_TOKEN_BYTES:
        raise Finding("a token that is too long")


def review(data: bytes) -> None:
    """Answer a whole review, its body `RAW` or made around a token (`WRAPPED`); STS refuses all."""
    body = data[1:]
    if data[:1] == WRAPPED:
        kind = {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1"}
        spec = {"token": data[1:].decode("utf-8", "replace")}
        body = json.dumps({**kind, "spec": spec}).encode()
    answer = _LOOP.run_until_complete(_REVIEWS.answer(body, "192.0.2.1"))
    if answer.status not in {200, 400}:
        raise Finding(f"status {answer.status}")
    if answer.status == 200 and json.loads(answer.body)["status"] != {"authenticated": False}:  # noqa: PLR2004 (HTTP's)
        raise Finding("a grant")


def sts(data: bytes) -> None:
    """Read an answer of STS: two bytes of status, then the body."""
    status = 200 if data[:1] == RAW else int.from_bytes(data[:2], "big") % 600
    try:
        identity = read_answer(_REQUEST, status, data[2:])
    except (Denied, Unavailable):
        return
    arn = identity.arn
    if PrincipalArn.parse(str(arn)) != arn or arn.partition != _REQUEST.host.partition:
        raise Finding("an ARN that is not what it says")
    if identity.access_key_id != _REQUEST.access_key_id:
        raise Finding("another's access key")
    verdict = Proven(identity, NOW, NOW + 1)
    if decode(encode(verdict)) != verdict:
        raise Finding("a verdict that is remembered as another")


def web_identity(data: bytes) -> None:
    """Verify a JWT: the rest as it stands (`RAW`), or as well signed claims (`WRAPPED`)."""
    text = data[1:].decode("utf-8", "surrogateescape")
    if data[:1] == WRAPPED:
        text = jwts.sign(data[1:])
    try:
        checked = jwt.check(text, now=NOW, policy=_POLICY)
        identity = checked.verify(_KEYS[checked.key_id]) if checked.key_id in _KEYS else None
    except TokenRefused as error:
        if error.check not in jwt.CHECKS:
            raise Finding(f"an unknown check: {error.check}") from error
        return
    if not checked.valid_from <= NOW < checked.valid_until <= NOW + jwt.MAX_LIFETIME_SECONDS:
        raise Finding("a token that does not count now")
    if identity is not None and identity.arn.account_id != jwts.ACCOUNT:
        raise Finding("a caller of another account than the issuer's")


def key_set(data: bytes) -> None:
    """Read the keys of an issuer."""
    try:
        keys = jwks.parse(data)
    except jwks.KeySetRefused:
        return
    if not 0 < len(keys) <= jwks.MAX_KEYS:
        raise Finding("a number of keys that is out of bounds")


def admission(data: bytes) -> None:
    """Judge an edit of aws-auth: its whole body (`RAW`), or the next mapRoles (`WRAPPED`)."""
    body = data[1:]
    if data[:1] == WRAPPED:
        body = json.dumps(_edit(data[1:].decode("utf-8", "replace"))).encode()
    try:
        request = parse(body)
    except MalformedRequest:
        return
    verdict = _judge().decide(request)
    texts = (verdict.answer.message, *verdict.answer.warnings)
    if not all(map(is_printable, texts)):
        raise Finding("an answer that a terminal obeys")
    if data[:1] == WRAPPED and verdict.answer.allowed and not _maps(request.new):
        raise Finding("an edit that empties mapRoles")


def mappings(data: bytes) -> None:
    """Lint a file: what is in force is never an error, and nothing that is shown is obeyed."""
    for found in lint_file(data, "file", Context(NOW)):
        if not is_printable(str(found)):
            raise Finding("a finding that a terminal obeys")


def names(data: bytes) -> None:
    """Look at a name: one that may be granted is seen whole, and looks like itself."""
    text = data.decode("utf-8", "surrogateescape")
    if not is_printable(printable(text)):
        raise Finding("a text that a terminal obeys")
    if unusable(text):
        return
    if not is_printable(text):
        raise Finding("a name that draws less than it is")
    known = kubernetes_name(text)
    if known == text:
        raise Finding("a name that is taken for itself")
    if skeletons(text) != skeletons(text):
        raise Finding("two looks at one name that differ")


def _edit(text: str) -> dict[str, Any]:
    metadata = {"name": "aws-auth", "namespace": "kube-system"}

    def config_map(roles: str) -> dict[str, Any]:
        kind = {"apiVersion": "v1", "kind": "ConfigMap"}
        return {**kind, "metadata": metadata, "data": {"mapRoles": roles}}

    request = {
        "uid": "1",
        "operation": "UPDATE",
        "kind": {"group": "", "version": "v1", "kind": "ConfigMap"},
        "namespace": "kube-system",
        "name": "aws-auth",
        "userInfo": {"username": "admin", "groups": ["system:masters"]},
        "oldObject": config_map(_FULL),
        "object": config_map(text),
    }
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}


def _maps(obj: Mapping[str, Any] | None) -> bool:
    """Whether an object has an entry in force, or a text whose last good version stays."""
    data = (obj or {}).get("data") or {}
    part = AwsAuthData({key: Text(0, text) for key, text in data.items()})
    sections = part.sections(SectionReader("fuzz", Guard()))
    return any(section.size or section.problems for section in sections)


def _judge() -> Judge:
    return Judge(Policy(guards={}), lambda _: Surroundings((), Elsewhere()), lambda: NOW)


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "token": token,
    "review": review,
    "sts": sts,
    "web_identity": web_identity,
    "key_set": key_set,
    "admission": admission,
    "mappings": mappings,
    "names": names,
}


class _Silent:
    """Counts nothing."""

    def observe_review(self, result: str, _seconds: float) -> None:
        if result == "internal_error":
            raise Finding("a fault of ours")

    def cache_hit(self, kind: str) -> None: ...
    def call_collapsed(self) -> None: ...
    def budget_refused(self, standing: str) -> None: ...
    def degraded_answer(self) -> None: ...


async def _refuse(_request: PresignedRequest, /, timeout: float) -> CallerIdentity:  # noqa: ARG001 (a port)
    raise NotProven("SignatureDoesNotMatch", "nobody has signed it")


async def _no_name(_identity: CallerIdentity, /) -> str:
    raise Finding("an instance was to be named")


def _no_audit(_record: AuditRecord) -> None: ...


def _reviews() -> Reviews:
    silent = _Silent()
    prover = Prover(
        ask=_refuse,
        hosts=HOSTS,
        budget=Budget(_ENDLESS, lambda: 0.0),
        limits=Limits.of(_ENDLESS, 1, lambda: 0.0),
        observer=silent,
        remembering=Remembering(),
        clock=lambda: NOW,
    )
    login = Login(
        prover=prover, rules=lambda: RuleSet(()), name_instance=_no_name, clock=lambda: NOW
    )
    return Reviews(login=login, metrics=silent, audit=_no_audit)


_REVIEWS = _reviews()
_LOOP = asyncio.new_event_loop()
