"""The claims of a JWT of AWS, read without any check: for the person whose token it is.

The cluster's webhook verifies; here nothing is decided but when to ask for the next one.
Source: AWS IAM User Guide, "Understanding token claims".
"""

from __future__ import annotations

import base64
import json
from typing import Any

from .errors import ClientError

AWS = "https://sts.amazonaws.com/"
MAX_LENGTH = 16 * 1024
_PARTS = 3
_NEEDED = {"iat": int, "exp": int, "iss": str, "sub": str, AWS: dict}
_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
# Claims by which a cluster's mappings may tell callers apart, as `whoami` names them.
_SHOWN = {
    "account": "aws_account",
    "organization": "org_id",
    "organizationalUnits": "ou_path",
    "principalTags": "principal_tags",
    "identityStoreUserID": "identity_store_user_id",
    "ec2SourceInstance": "ec2_source_instance_arn",
    "sourceIdentity": "source_identity",
}


def looks_like_one(value: str) -> bool:
    """Return whether a text has the form of a JWT: three parts of base64url."""
    parts = value.split(".")
    return (
        len(value) <= MAX_LENGTH
        and len(parts) == _PARTS
        and all(part and _ALPHABET.issuperset(part) for part in parts)
    )


def read(value: str) -> dict[str, Any]:
    """Return the claims of a JWT, unverified.

    Raises:
        ClientError: it is not a JWT with the claims that AWS issues.
    """
    complaint = ClientError("the token is not a JWT as AWS issues them")
    if not looks_like_one(value):
        raise complaint
    try:
        payload = value.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        complete = all(type(claims[name]) is kind for name, kind in _NEEDED.items())
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise complaint from error
    if not complete:
        raise complaint
    found: dict[str, Any] = claims
    return found


def audiences(claims: dict[str, Any]) -> list[str]:
    """Return the audiences of a token; AWS writes one audience as a text, several as a list."""
    found = claims.get("aud")
    return [str(one) for one in found] if isinstance(found, list) else [str(found)]


def summary(claims: dict[str, Any]) -> dict[str, Any]:
    """Return the claims that matter for a login, by the names that mappings have for them."""
    details = claims[AWS]
    shown = {name: details[claim] for name, claim in _SHOWN.items() if claim in details}
    return {
        "subject": claims["sub"],
        "issuer": claims["iss"],
        "audience": ", ".join(audiences(claims)),
        **shown,
    }
