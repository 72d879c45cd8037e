"""Which callers an ARN in a mapping stands for: one principal, or all that a pattern covers.

Everything is compared in ASCII lower case, since IAM names are unique whatever their case. A role's
path takes no part: STS leaves it out of an assumed role's ARN.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from authenticator.aws.arns import PARTITIONS, PrincipalArn, PrincipalKind
from authenticator.mapping.globs import fits

_WILDCARDS = frozenset("*?")
_ACCOUNT = re.compile(r"[0-9]{12}", re.ASCII)
# IAM Identity Center: 1 to 32 characters; the role is AWSReservedSSO_<name>_<16 hex digits>, and
# the digits change when it is recreated.
_PERMISSION_SET = re.compile(r"[\w+=,.@-]{1,32}", re.ASCII)
_SSO_SUFFIX = re.compile(r"[0-9a-f]{16}", re.ASCII)
PERMISSION_SET_ROLE = "awsreservedsso_"
_PATTERN_KINDS = frozenset({PrincipalKind.ROLE, PrincipalKind.USER, PrincipalKind.FEDERATED_USER})


@dataclass(frozen=True, slots=True)
class Selector:
    """The callers that one mapping applies to.

    Attributes:
        key: the canonical ARN, or the pattern, in lower case.
        kind: what kind of principal the mapping's ARN names, as it was written.
        partition: the AWS partition, such as "aws".
        account_id: 12 digits.
        name: the principal's name or its pattern, in lower case and without path; "root" for root.
        user_path: the path of a user, in lower case and without its leading slash; "" otherwise.
        has_role_path: whether the ARN was written with the path of a role, which the key lacks.
        head: what every ARN that it covers begins with; the whole key for one principal.
        chunks: the pattern split at its `*`; empty for one principal.
        literal: how many characters of the pattern are not wildcards.
        permission_set: whether the `*` at the pattern's end stands for the random digits of IAM
            Identity Center only.
        written: the principal as the mapping has it, for people.
    """

    key: str
    kind: PrincipalKind
    partition: str
    account_id: str
    name: str
    user_path: str = ""
    has_role_path: bool = False
    head: str = ""
    chunks: tuple[str, ...] = ()
    literal: int = 0
    permission_set: bool = False
    written: str = field(default="", compare=False)

    @property
    def is_pattern(self) -> bool:
        """Whether it may cover more than one principal."""
        return bool(self.chunks)

    @property
    def resource(self) -> str:
        """What the key names in its account: `role/dev`, `user/team/bob` or `root`."""
        return self.key.split(":", 5)[5]

    @property
    def is_role(self) -> bool:
        """Whether it names a role, or a session of one."""
        return self.kind.is_role

    @property
    def tail(self) -> str:
        """What every ARN that it covers ends with; the whole key for one principal."""
        return self.chunks[-1].rpartition("?")[2] if self.chunks else self.key

    def covers(self, key: str) -> bool:
        """Whether it covers the canonical ARN `key`, given in lower case."""
        if not self.chunks:
            return key == self.key
        if self.permission_set and not _SSO_SUFFIX.fullmatch(key, len(self.head)):
            return False
        return fits(self.chunks, key)


def by_arn(text: str) -> Selector:
    """The selector that an ARN of a mapping stands for; `*` and `?` may stand in the name.

    Raises:
        ValueError: it is no ARN of a principal, or its wildcards stand where they may not.
    """
    written = text = text.strip()
    # Checked before lower(), which makes ASCII letters of some that are not (U+212A: k).
    if not text.isascii():
        raise ValueError("it has characters that no ARN has (look for invisible ones)")
    text = text.lower()
    if not _WILDCARDS.isdisjoint(text):
        return _by_pattern(text, written)
    arn = PrincipalArn.parse(text)
    kind = arn.kind
    is_role = kind is PrincipalKind.ROLE
    key = arn.canonical
    return Selector(
        key,
        kind,
        arn.partition,
        arn.account_id,
        arn.name or kind.value,
        user_path="" if is_role else arn.path,
        has_role_path=is_role and bool(arn.path),
        head=key,
        written=written,
    )


def by_permission_set(name: str, account_id: str, partition: str) -> Selector:
    """The selector of the role that IAM Identity Center makes for a permission set.

    Raises:
        ValueError: a part is not of its form.
    """
    if not _PERMISSION_SET.fullmatch(name):
        raise ValueError("permissionSetName must be 1 to 32 letters, digits or + = , . @ _ -")
    if partition not in PARTITIONS:
        raise ValueError("partition must be one of " + ", ".join(sorted(PARTITIONS)))
    account_id = account(account_id)
    role = f"{PERMISSION_SET_ROLE}{name.lower()}_"
    head = f"arn:{partition}:iam::{account_id}:role/{role}"
    return Selector(
        f"{head}*",
        PrincipalKind.ROLE,
        partition,
        account_id,
        f"{role}*",
        head=head,
        chunks=(head, ""),
        literal=len(head),
        permission_set=True,
        written=permission_set(name, account_id),
    )


def permission_set(name: str, account_id: str) -> str:
    """Return how people are shown a permission set; `mappings get` and its like accept it."""
    return f"permission set {name} in {account_id}"


def account(text: str) -> str:
    """Check one account id.

    Raises:
        ValueError: it is not 12 digits; the message says what may have happened to it.
    """
    if _ACCOUNT.fullmatch(text):
        return text
    if text.isascii() and text.isdigit() and len(text) < 12:  # noqa: PLR2004 (digits of an account id)
        raise ValueError(
            f"an account id has 12 digits, and this has {len(text)}:"
            " a leading zero may have been lost; write all 12 in quotes"
        )
    raise ValueError("an account id is 12 digits in quotes, not a number in another notation")


def _by_pattern(text: str, written: str) -> Selector:
    resource = text.split(":", 5)[-1]
    place = len(text) - len(resource)
    if not _WILDCARDS.isdisjoint(text[:place]):
        raise ValueError("wildcards may stand in the name only, not in partition or account")
    # With a letter for each wildcard it must be an ordinary ARN.
    arn = PrincipalArn.parse(re.sub(r"[*?]", "x", text))
    if arn.kind not in _PATTERN_KINDS:
        raise ValueError("wildcards may stand in role/NAME, user/NAME and federated-user/NAME only")
    if arn.kind is PrincipalKind.ROLE and arn.path:
        # `role/team/*` would cover every role of the account, which nobody means.
        raise ValueError(
            "a role pattern cannot have a path, since AWS does not tell the path of an assumed"
            " role; name the role, or for permission sets use sso"
        )
    head = re.split(r"[*?]", text, maxsplit=1)[0]
    path, _, name = resource.partition("/")[2].rpartition("/")
    return Selector(
        text,
        arn.kind,
        arn.partition,
        arn.account_id,
        name,
        user_path=f"{path}/" if path else "",
        head=head,
        chunks=tuple(re.split(r"\*+", text)),
        literal=sum(character not in _WILDCARDS for character in text),
        written=written,
    )
