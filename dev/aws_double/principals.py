"""The AWS identities that the double knows, and their keys.

Identifiers and keys are derived from the ARN, so that they are the same in every run; the keys open
nothing but the double.
Source: AWS IAM User Guide, "IAM identifiers" and "GetCallerIdentity principal information".
"""

from __future__ import annotations

import base64
import hashlib
import math
import secrets
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# Where Identity Center keeps its roles; outside us-east-1 the Region follows.
SSO_PATH = "aws-reserved/sso.amazonaws.com/eu-west-1/"


@dataclass(frozen=True, slots=True)
class Principal:
    """One identity with one access key.

    Attributes:
        arn: as GetCallerIdentity gives it.
        user_id: as GetCallerIdentity gives it.
        access_key_id: `AKIA...` for keys without an end, `ASIA...` for temporary ones.
        secret_access_key: what requests are signed with.
        session_token: comes with temporary keys, and must come with every request of theirs.
        expires_at: seconds since the epoch.
        multi_factor: the keys were issued for an MFA code (`aws:MultiFactorAuthPresent`).
        role_arn: of a session of a role, the role's ARN with its path; "" for a role without one.
        claims: what STS states about the session in a JWT, under `https://sts.amazonaws.com/`.
    """

    arn: str
    user_id: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: float = math.inf
    multi_factor: bool = False
    role_arn: str = ""
    claims: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)

    @property
    def subject(self) -> str:
        """The `sub` of a JWT: of a role session the role with its path, else the ARN."""
        kind, _, rest = self.arn.split(":", 5)[5].partition("/")
        if kind != "assumed-role":
            return self.arn
        name = rest.partition("/")[0]
        return self.role_arn or f"arn:{self.partition}:iam::{self.account}:role/{name}"

    @property
    def partition(self) -> str:
        """The ARN's partition."""
        return self.arn.split(":")[1]

    @property
    def account(self) -> str:
        """The ARN's account: 12 digits."""
        return self.arn.split(":")[4]

    def environment(self) -> dict[str, str]:
        """Give the environment variables that make an AWS SDK use these keys."""
        variables = {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
        }
        if self.session_token is not None:
            variables["AWS_SESSION_TOKEN"] = self.session_token
        return variables

    def profile(self, name: str) -> str:
        """Give the keys as a section of a shared credentials file."""
        pairs = (f"{key.lower()} = {value}\n" for key, value in self.environment().items())
        return f"[{name}]\n{''.join(pairs)}"


class Principals:
    """The keys that the double knows; one whole operation at a time is safe from any thread."""

    def __init__(self, principals: Iterable[Principal] = ()) -> None:
        self._by_key = {principal.access_key_id: principal for principal in principals}

    def add(self, principal: Principal) -> None:
        """Make a key known, or replace it."""
        self._by_key[principal.access_key_id] = principal

    def remove(self, access_key_id: str) -> None:
        """Forget a key, as when it has been deleted in IAM. Raises KeyError."""
        del self._by_key[access_key_id]

    def find(self, access_key_id: str) -> Principal | None:
        """Give the holder of a key."""
        return self._by_key.get(access_key_id)


def user(account: str, name: str, *, path: str = "", partition: str = "aws") -> Principal:
    """Make an IAM user; `path` as in `team/`."""
    arn = f"arn:{partition}:iam::{account}:user/{path}{name}"
    return lasting(arn, _identifier("AIDA", arn, 17))


def root(account: str, *, partition: str = "aws") -> Principal:
    """Make the root user of an account."""
    return lasting(f"arn:{partition}:iam::{account}:root", account)


def assumed_role(
    account: str,
    role: str,
    session: str,
    *,
    partition: str = "aws",
    path: str = "",
    claims: Mapping[str, object] | None = None,
) -> Principal:
    """Make a session of a role; `path` as in `team/`.

    STS leaves a role's path out of its sessions' ARN, and writes it into the `sub` of a JWT.
    """
    return temporary(
        f"arn:{partition}:sts::{account}:assumed-role/{role}/{session}",
        f"{role_id(account, role)}:{session}",
        role_arn=f"arn:{partition}:iam::{account}:role/{path}{role}",
        claims=claims,
    )


def instance(
    account: str, role: str, instance_id: str, *, region: str = "eu-west-1", partition: str = "aws"
) -> Principal:
    """Make the session that an EC2 instance gets from its metadata service."""
    arn = f"arn:{partition}:ec2:{region}:{account}:instance/{instance_id}"
    claims = {
        "ec2_source_instance_arn": arn,
        "ec2_instance_source_vpc": "vpc-0123456789abcdef0",
        "ec2_instance_source_private_ipv4": "10.0.1.25",
        "ec2_role_delivery": "2.0",
    }
    return assumed_role(account, role, instance_id, partition=partition, claims=claims)


def federated_user(account: str, name: str, *, partition: str = "aws") -> Principal:
    """Make a session of GetFederationToken."""
    arn = f"arn:{partition}:sts::{account}:federated-user/{name}"
    return temporary(arn, f"{account}:{name}")


def sso_user(account: str, permission_set: str, name: str) -> Principal:
    """Make a session of an IAM Identity Center user."""
    claims = {
        "identity_store_user_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"identitystore:{name}")),
        "identity_store_arn": f"arn:aws:identitystore::{account}:identitystore/d-1234567890",
    }
    role = sso_role_name(account, permission_set)
    return assumed_role(account, role, name, path=SSO_PATH, claims=claims)


def sso_role_name(account: str, permission_set: str) -> str:
    """Give the name of the role that Identity Center makes for a permission set."""
    suffix = hashlib.sha256(f"{account}/{permission_set}".encode()).hexdigest()[:16]
    return f"AWSReservedSSO_{permission_set}_{suffix}"


def role_id(account: str, role: str) -> str:
    """Give the unique id of a role."""
    return _identifier("AROA", f"{account}/{role}", 17)


def lasting(arn: str, user_id: str) -> Principal:
    """Make a principal with an access key that does not end."""
    return Principal(arn, user_id, _identifier("AKIA", arn, 16), _secret(arn, 40))


def temporary(
    arn: str,
    user_id: str,
    *,
    expires_at: float = math.inf,
    multi_factor: bool = False,
    fresh: bool = False,
    role_arn: str = "",
    claims: Mapping[str, object] | None = None,
) -> Principal:
    """Make a principal with temporary keys: the same ones for the same ARN, unless `fresh`."""
    seed = f"{arn} {secrets.token_hex()}" if fresh else arn
    return Principal(
        arn,
        user_id,
        _identifier("ASIA", seed, 16),
        _secret(seed, 40),
        session_token=_secret(f"token {seed}", 340),
        expires_at=expires_at,
        multi_factor=multi_factor,
        role_arn=role_arn,
        claims=claims or {},
    )


def _identifier(prefix: str, seed: str, length: int) -> str:
    return prefix + base64.b32encode(hashlib.sha256(seed.encode()).digest()).decode()[:length]


def _secret(seed: str, length: int) -> str:
    # Base64 with its "+" and "/": a client that forgets to encode them is found out.
    return base64.b64encode(hashlib.shake_256(seed.encode()).digest(length)).decode()[:length]
