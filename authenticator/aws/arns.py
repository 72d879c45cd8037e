"""ARNs of IAM principals, and who a token has proven the caller to be.

Source: AWS IAM User Guide, "IAM identifiers" and "IAM and AWS STS quotas, name requirements".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

PARTITIONS = frozenset(
    {
        "aws",
        "aws-cn",
        "aws-eusc",
        "aws-iso",
        "aws-iso-b",
        "aws-iso-e",
        "aws-iso-f",
        "aws-us-gov",
    }
)

# Names are ASCII; `\w` without re.ASCII would let in letters that look alike.
_NAME = r"[\w+=,.@-]{1,128}"
_PATH = r"(?:[!-~]{1,510}/)?"
_ACCOUNT = re.compile(r"[0-9]{12}", re.ASCII)
# Which service and which kind of resource may stand together, and the shape of the rest.
_SHAPES = {
    ("iam", "root"): re.compile(r"root", re.ASCII),
    ("iam", "user"): re.compile(rf"user/(?P<path>{_PATH})(?P<name>{_NAME})", re.ASCII),
    ("iam", "role"): re.compile(rf"role/(?P<path>{_PATH})(?P<name>{_NAME})", re.ASCII),
    ("sts", "assumed-role"): re.compile(
        rf"assumed-role/(?P<name>{_NAME})/(?P<session>{_NAME})", re.ASCII
    ),
    ("sts", "federated-user"): re.compile(rf"federated-user/(?P<name>{_NAME})", re.ASCII),
}


class PrincipalKind(str, Enum):
    """The kinds of principal that an ARN can name."""

    ROOT = "root"
    USER = "user"
    ROLE = "role"
    ASSUMED_ROLE = "assumed-role"
    FEDERATED_USER = "federated-user"

    @property
    def is_role(self) -> bool:
        """Whether it is a role, or a session of one."""
        return self in (PrincipalKind.ROLE, PrincipalKind.ASSUMED_ROLE)


@dataclass(frozen=True, slots=True)
class PrincipalArn:
    """The parsed ARN of an IAM principal.

    Attributes:
        partition: one of `PARTITIONS`.
        account_id: 12 ASCII digits, leading zeros kept.
        kind: what the ARN names.
        path: for users and roles the IAM path without its leading slash: "" or "team/".
        name: the user's, role's or federated user's name; "" for root.
        session: the session name of an assumed role; "" otherwise.
    """

    partition: str
    account_id: str
    kind: PrincipalKind
    path: str = ""
    name: str = ""
    session: str = ""

    @classmethod
    def parse(cls, text: str) -> PrincipalArn:
        """Parse one ARN strictly.

        Raises:
            ValueError: `text` is not the ARN of an IAM principal; the message says why.
        """
        # A path may contain ":", so the sixth part is everything that is left.
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn":  # noqa: PLR2004 (arn:partition:service::account:resource)
            raise ValueError("it is not of the form arn:PARTITION:iam::ACCOUNT:RESOURCE")
        _, partition, service, region, account_id, resource = parts
        if partition not in PARTITIONS:
            raise ValueError("its partition is not one of " + ", ".join(sorted(PARTITIONS)))
        if region:
            raise ValueError("IAM and STS ARNs have no region")
        if not _ACCOUNT.fullmatch(account_id):
            raise ValueError("its account id is not 12 digits")
        word = resource.partition("/")[0]
        shape = _SHAPES.get((service, word))
        found = shape.fullmatch(resource) if shape else None
        if found is None:
            raise ValueError(
                "its resource is not user/NAME, role/NAME, root, assumed-role/ROLE/SESSION"
                " or federated-user/NAME"
            )
        return cls(partition, account_id, PrincipalKind(word), **found.groupdict())

    @property
    def canonical(self) -> str:
        """The ARN that mappings name: a role's without its path, also for a session of the role.

        STS leaves the path out of an assumed role's ARN, so a role's path can never take part in
        matching. A user's path is kept, as STS keeps it.
        """
        if self.kind.is_role:
            return f"arn:{self.partition}:iam::{self.account_id}:role/{self.name}"
        return str(self)

    def __str__(self) -> str:
        """The ARN in full."""
        service = "sts" if self.kind in _STS_KINDS else "iam"
        resource = self.kind.value
        if self.kind is not PrincipalKind.ROOT:
            resource += f"/{self.path}{self.name}"
        if self.session:
            resource += f"/{self.session}"
        return f"arn:{self.partition}:{service}::{self.account_id}:{resource}"


_STS_KINDS = frozenset({PrincipalKind.ASSUMED_ROLE, PrincipalKind.FEDERATED_USER})


class ProofKind(str, Enum):
    """The kinds of token that prove a caller, as `proof` in a mapping entry names them."""

    PRESIGNED = "presigned"
    JWT = "jwt"


@dataclass(frozen=True, slots=True)
class SignedClaims:
    """What AWS states about a caller in a JWT, next to the ARN. An absent claim is empty.

    None of it is chosen by the caller, except that a session tag overrides the principal's own.

    Attributes:
        token_id: the token's `jti`.
        organization: the account's organization, `o-...`.
        organizational_units: the ids (`ou-...`) of every unit that the account is in.
        principal_tags: key and value of the principal's tags, in the order of the token.
        identity_store_user_id: the user of IAM Identity Center.
        source_identity: the source identity of the session.
        instance_id: the EC2 instance of the caller's account that the credentials come from.
    """

    token_id: str = ""
    organization: str = ""
    organizational_units: frozenset[str] = frozenset()
    principal_tags: tuple[tuple[str, str], ...] = ()
    identity_store_user_id: str = ""
    source_identity: str = ""
    instance_id: str = ""


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """Who a token has proven its holder to be.

    Made in two places only: from an answer of STS (`authenticator.aws.sts`), and from a JWT whose
    signature has been verified (`authenticator.tokens.jwt`).

    Attributes:
        arn: the caller's ARN, parsed: of the session as STS gives it, or of the role with its path
            or the user as a JWT gives it.
        user_id: STS's UserId: `AIDA...` for a user, `AROA...:SESSION` for an assumed role; "" for a
            JWT, which carries none.
        access_key_id: the access key that signed, which is public and part of the token; "" for a
            JWT.
        claims: what a JWT states in addition; None for a presigned request.
    """

    arn: PrincipalArn
    user_id: str
    access_key_id: str
    claims: SignedClaims | None = None

    @property
    def proof(self) -> ProofKind:
        """The kind of token that proved the caller."""
        return ProofKind.PRESIGNED if self.claims is None else ProofKind.JWT

    @property
    def canonical_arn(self) -> str:
        """The ARN that mappings name; see `PrincipalArn.canonical`."""
        return self.arn.canonical

    @property
    def principal_id(self) -> str:
        """The unique id of the principal, without session: what a `userid` pin is compared with.

        A role or user that is deleted and recreated has another one. STS gives a federated user
        `ACCOUNT:NAME` and root `ACCOUNT`: cut at the colon, a federated user would be root. A JWT
        has none, which is no pin's value.
        """
        if self.arn.kind is PrincipalKind.FEDERATED_USER:
            return self.user_id
        return self.user_id.partition(":")[0]
