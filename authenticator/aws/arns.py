"""ARNs of IAM principals, and who STS proved the caller to be.

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
        """The ARN that mappings name: an assumed role's is its role, without session and path.

        STS leaves the path out of an assumed role's ARN, so a role's path can never take part in
        matching. A user's path is kept, as STS keeps it.
        """
        if self.kind is PrincipalKind.ASSUMED_ROLE:
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


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """Who STS proved the signer of a token to be.

    Made in one place only (`authenticator.aws.sts`), from an answer of STS's.

    Attributes:
        arn: the caller's ARN as STS gave it, parsed.
        user_id: STS's UserId: `AIDA...` for a user, `AROA...:SESSION` for an assumed role.
        access_key_id: the access key that signed; public, and part of the token.
    """

    arn: PrincipalArn
    user_id: str
    access_key_id: str

    @property
    def canonical_arn(self) -> str:
        """The ARN that mappings name; see `PrincipalArn.canonical`."""
        return self.arn.canonical

    @property
    def principal_id(self) -> str:
        """The unique id of the principal, without session: what a `userid` pin is compared with.

        A role or user that is deleted and recreated has another one. STS gives a federated user
        `ACCOUNT:NAME` and root `ACCOUNT`: cut at the colon, a federated user would be root.
        """
        if self.arn.kind is PrincipalKind.FEDERATED_USER:
            return self.user_id
        return self.user_id.partition(":")[0]
