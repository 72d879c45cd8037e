"""TokenReview, `authentication.k8s.io/v1` and `v1beta1`: bytes to a request, a decision to bytes.

Source: Kubernetes documentation, "Webhook Token Authentication"; API reference, TokenReview.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from authenticator.aws.arns import CallerIdentity, ProofKind, SignedClaims
from authenticator.errors import MalformedRequest
from authenticator.mapping.rules import Match
from authenticator.posted_json import decode, encode
from authenticator.verdicts.verdict import Source

API_VERSIONS = frozenset({"authentication.k8s.io/v1", "authentication.k8s.io/v1beta1"})
_KIND = "TokenReview"
EXTRA = "sigs.k8s.io/aws-iam-authenticator/"


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
        identity: who the caller is proven to be.
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


def deny_for_now(request: ReviewRequest) -> bytes:
    """The answer to a caller who is refused, and may not be the next time.

    The API server caches no answer that carries `status.error`.
    """
    error = "the token's key is not known yet; try again in a minute"
    return _render(request, {"authenticated": False, "error": error})


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
        of_both = {"arn": [str(identity.arn)], "canonicalArn": [identity.canonical_arn]}
        if identity.claims is None:
            user["uid"] = f"aws-iam-authenticator:{identity.arn.account_id}:{identity.principal_id}"
            user["extra"] = {
                "accessKeyId": [identity.access_key_id],
                **of_both,
                "principalId": [identity.principal_id],
                "sessionName": [identity.arn.session],
                "sigs.k8s.io/aws-iam-authenticator/principalId": [identity.principal_id],
            }
        else:
            # A JWT has no unique id. Its ARN serves as the uid, which may not be empty.
            user["uid"] = f"aws-iam-authenticator:{identity.arn.account_id}:{identity.arn}"
            user["extra"] = {**of_both, **_signed(identity.claims)}
    if decision.groups:
        user["groups"] = decision.groups
    return _render(request, {"authenticated": True, "user": user})


def _signed(claims: SignedClaims) -> dict[str, list[str]]:
    """What a JWT says in addition. The keys are in lower case, to survive impersonation."""
    values = {
        "proof": ProofKind.JWT.value,
        "token-id": claims.token_id,
        "source-identity": claims.source_identity,
        "identity-store-user-id": claims.identity_store_user_id,
        "instance-id": claims.instance_id,
    }
    return {f"{EXTRA}{name}": [value] for name, value in values.items() if value}


def _render(request: ReviewRequest, status: dict[str, Any]) -> bytes:
    answer = {"apiVersion": request.api_version, "kind": _KIND, "status": status}
    return encode(answer)
