"""TokenReview, `authentication.k8s.io/v1` and `v1beta1`: bytes to a request, a decision to bytes.

Source: Kubernetes documentation, "Webhook Token Authentication"; API reference, TokenReview.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from authenticator.aws.arns import CallerIdentity
from authenticator.errors import MalformedRequest
from authenticator.mapping.rules import Match
from authenticator.posted_json import decode, encode
from authenticator.verdicts.verdict import Source

API_VERSIONS = frozenset({"authentication.k8s.io/v1", "authentication.k8s.io/v1beta1"})
_KIND = "TokenReview"


@dataclass(frozen=True, slots=True)
class ReviewRequest:
    """A TokenReview as an API server posts it.

    Attributes:
        api_version: one of `API_VERSIONS`; the answer must carry the same.
        token: the bearer token, any text.
    """

    api_version: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """A caller who may enter, and as whom.

    Attributes:
        username: the Kubernetes username, never empty (the API server would accept an empty one).
        groups: the Kubernetes groups.
        identity: who STS proved the caller to be.
        match: the mapping that applied.
        source: how we know who the caller is.
    """

    username: str
    groups: tuple[str, ...]
    identity: CallerIdentity
    match: Match
    source: Source


def parse(body: bytes) -> ReviewRequest:
    """Read a TokenReview.

    The size of `body` is the caller's to limit.

    Raises:
        MalformedRequest: `body` is not a TokenReview that has a token.
    """
    review = decode(body)
    if not isinstance(review, dict) or review.get("kind") != _KIND:
        raise MalformedRequest("the JSON is no TokenReview")
    api_version = review.get("apiVersion")
    if not isinstance(api_version, str) or api_version not in API_VERSIONS:
        raise MalformedRequest(f"the apiVersion is not one of {', '.join(sorted(API_VERSIONS))}")
    spec = review.get("spec")
    token = spec.get("token") if isinstance(spec, dict) else None
    if not isinstance(token, str) or not token:
        raise MalformedRequest("the TokenReview has no spec.token")
    return ReviewRequest(api_version, token)


def deny(request: ReviewRequest) -> bytes:
    """The answer to a caller who is refused.

    It gives no reason: the API server would not cache a denial that carries `status.error`, and
    whoever probes would learn from it. The reason is in the audit log.
    """
    return _render(request, {"authenticated": False})


def allow(request: ReviewRequest, decision: Decision, *, scrubbed: bool) -> bytes:
    """The answer to a caller who may enter.

    Args:
        request: what was asked.
        decision: whom the caller is.
        scrubbed: leave the account's ids out (the setting `scrubbedAccounts`).
    """
    user: dict[str, Any] = {"username": decision.username}
    identity = decision.identity
    if scrubbed:
        user["uid"] = f"aws-iam-authenticator:administrative:{decision.username}"
    else:
        user["uid"] = f"aws-iam-authenticator:{identity.arn.account_id}:{identity.principal_id}"
        user["extra"] = {
            "accessKeyId": [identity.access_key_id],
            "arn": [str(identity.arn)],
            "canonicalArn": [identity.canonical_arn],
            "principalId": [identity.principal_id],
            "sessionName": [identity.arn.session],
            "sigs.k8s.io/aws-iam-authenticator/principalId": [identity.principal_id],
        }
    if decision.groups:
        user["groups"] = decision.groups
    return _render(request, {"authenticated": True, "user": user})


def _render(request: ReviewRequest, status: dict[str, Any]) -> bytes:
    answer = {"apiVersion": request.api_version, "kind": _KIND, "status": status}
    return encode(answer)
