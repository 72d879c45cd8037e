"""Who edits, as the API server knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authenticator.aws.arns import CallerIdentity, PrincipalArn, ProofKind, SignedClaims
from authenticator.review import EXTRA

# What an authenticator of IAM callers tells the API server about them: ours, the reference and EKS
# say all of it (`authenticator.review.allow`). Without `arn`, the canonical one does for matching.
_ARN_KEYS = ("arn", "canonicalArn")
_UID_PREFIX = "aws-iam-authenticator:"


@dataclass(frozen=True, slots=True)
class Editor:
    """The person or program whose edit it is.

    Attributes:
        username: the Kubernetes username.
        groups: the Kubernetes groups.
        arn: the ARN that they logged in with; "" for whoever is no IAM caller (client certificates,
            ServiceAccounts), or is not told of (`scrubbedAccounts`).
        user_id: STS's UserId; "" if it is not known.
        claims: what is told of the JWT that they logged in with; None for any other login.
            Organization, units and tags are not told.
    """

    username: str
    groups: tuple[str, ...] = ()
    arn: str = ""
    user_id: str = ""
    claims: SignedClaims | None = None

    @classmethod
    def from_user_info(cls, info: Mapping[str, object]) -> Editor:
        """Read a `UserInfo` of authentication.k8s.io/v1; what is malformed counts as missing.

        An AdmissionReview has one as `userInfo`, and a SelfSubjectReview as `status.userInfo`.
        """
        groups = info.get("groups")
        extra = info.get("extra")
        extra = extra if isinstance(extra, Mapping) else {}
        arns = (_first(extra.get(key)) for key in _ARN_KEYS)
        uid = _text(info.get("uid"))
        # aws-iam-authenticator:ACCOUNT:USERID, where a UserId may hold a colon itself.
        user_id = uid.split(":", 2)[-1] if uid.startswith(_UID_PREFIX) else ""
        claims = None
        if _first(extra.get(f"{EXTRA}proof")) == ProofKind.JWT.value:
            user_id = ""  # a JWT has none, and the uid holds the ARN
            claims = SignedClaims(
                identity_store_user_id=_first(extra.get(f"{EXTRA}identity-store-user-id")),
                source_identity=_first(extra.get(f"{EXTRA}source-identity")),
            )
        return cls(
            _text(info.get("username")),
            tuple(map(_text, groups)) if isinstance(groups, list) else (),
            next(filter(None, arns), ""),
            user_id,
            claims,
        )

    @property
    def identity(self) -> CallerIdentity | None:
        """Whom to look up in the mappings; None if this is no IAM caller.

        What the API server says is believed here as STS is in a login: it was told so by an
        authenticator. Nobody is let in on the strength of it.
        """
        try:
            arn = PrincipalArn.parse(self.arn)
        except ValueError:
            return None
        return CallerIdentity(arn, self.user_id, access_key_id="-", claims=self.claims)


def _first(values: object) -> str:
    return _text(values[0]) if isinstance(values, list) and values else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
