"""Callers who are made up from an ARN, for whom STS is not asked."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from authenticator.aws.arns import CallerIdentity, PrincipalArn, PrincipalKind, SignedClaims
from authenticator.mapping.ruleset import RuleSet

_SESSION = "SESSION-NAME"
# A node's session is named after its instance; this is the form of an id, and nobody's.
_INSTANCE = "i-00000000000000000"
_UNIQUE_IDS = {
    PrincipalKind.ASSUMED_ROLE: "AROAPLACEHOLDER00000",
    PrincipalKind.USER: "AIDAPLACEHOLDER00000",
}
_LONG_LIVED_KEY = "AKIAPLACEHOLDER00000"
_SESSION_KEY = "ASIAPLACEHOLDER00000"
_INSTANCE_NAME = "<private-dns-name>"


@dataclass(frozen=True, slots=True)
class MadeUp:
    """A caller, and what of them is a placeholder.

    Attributes:
        identity: the caller.
        placeholders: the flags that would tell, each with the value that stands in.
    """

    identity: CallerIdentity
    placeholders: dict[str, str]


def caller(
    arn: str,
    *,
    session: str = "",
    user_id: str = "",
    access_key_id: str = "",
    claims: SignedClaims | None = None,
) -> MadeUp:
    """The caller with an ARN, as STS would tell of them, or a JWT.

    Args:
        arn: as STS reports it, or as mappings name it: of a role, a session is made.
        session: the name of that session.
        user_id: the caller's unique id, with or without the session.
        access_key_id: the access key.
        claims: those of a JWT; None for a presigned token.

    Raises:
        ValueError: a flag is not for a JWT, `arn` is not the ARN of a principal, or its session is
            another one.
    """
    parsed = PrincipalArn.parse(arn.strip())
    placeholders: dict[str, str] = {}
    if claims is not None:
        return _by_jwt(parsed, session or user_id or access_key_id, claims)

    def given(flag: str, value: str, otherwise: str) -> str:
        if not value:
            placeholders[flag] = otherwise
        return value or otherwise

    if session and parsed.session and session != parsed.session:
        raise ValueError(f"its session is {parsed.session}, and --session says {session}")
    if parsed.kind is PrincipalKind.ROLE:
        # STS tells neither the path of a role nor that it is one: only its sessions sign.
        name = given("--session", session, _SESSION)
        parsed = replace(parsed, kind=PrincipalKind.ASSUMED_ROLE, path="", session=name)
        parsed = PrincipalArn.parse(str(parsed))
    elif session and not parsed.session:
        raise ValueError("it has no session, which only roles have")
    if parsed.kind in _UNIQUE_IDS:
        unique_id = given("--user-id", user_id.partition(":")[0], _UNIQUE_IDS[parsed.kind])
        user_id = f"{unique_id}:{parsed.session}" if parsed.session else unique_id
    else:  # AWS IAM User Guide, "Principal key values" for aws:userid
        federated = parsed.kind is PrincipalKind.FEDERATED_USER
        user_id = f"{parsed.account_id}:{parsed.name}" if federated else parsed.account_id
    long_lived = parsed.kind in (PrincipalKind.USER, PrincipalKind.ROOT)
    key = given("--access-key-id", access_key_id, _LONG_LIVED_KEY if long_lived else _SESSION_KEY)
    return MadeUp(CallerIdentity(parsed, user_id, key), placeholders)


def _by_jwt(arn: PrincipalArn, of_presigned: str, claims: SignedClaims) -> MadeUp:
    if of_presigned:
        raise ValueError("a JWT has no session, unique id or access key: leave out their flags")
    if arn.kind is PrincipalKind.ASSUMED_ROLE:
        arn = replace(arn, kind=PrincipalKind.ROLE, session="")
    if arn.kind not in (PrincipalKind.ROLE, PrincipalKind.USER):
        raise ValueError("only roles and users have JWTs")
    return MadeUp(CallerIdentity(arn, "", "", claims), {})


def as_node(made_up: MadeUp, rules: RuleSet, now: float) -> MadeUp:
    """The same caller as a node, if no session was given and what maps them is for nodes.

    The session takes no part in which mapping applies.
    """
    match = rules.find(made_up.identity, now)
    claims = made_up.identity.claims
    if claims is not None and match is not None and match.needs_instance_name:
        identity = replace(made_up.identity, claims=replace(claims, instance_id=_INSTANCE))
        return MadeUp(identity, {**made_up.placeholders, "the instance": _INSTANCE})
    if "--session" not in made_up.placeholders or match is None or not match.needs_instance_name:
        return made_up
    made = made_up.identity
    arn = replace(made.arn, session=_INSTANCE)
    identity = replace(made, arn=arn, user_id=f"{made.principal_id}:{_INSTANCE}")
    return MadeUp(identity, {**made_up.placeholders, "--session": _INSTANCE})


class Instances:
    """Names instances by the server's own rules, with an answer in EC2's place.

    Attributes:
        placeholders: as `MadeUp.placeholders`.
    """

    def __init__(self, name: str) -> None:
        """Say that the instance has the private DNS name `name`; "" for a placeholder."""
        self.placeholders: dict[str, str] = {}
        self._name = name

    async def __call__(self, identity: CallerIdentity) -> str:
        """See `authenticator.login.NamesInstances`."""
        # They bring botocore, and only nodes have need of it.
        from authenticator.aws.batching import Batcher, Turns  # noqa: PLC0415 (see above)
        from authenticator.aws.ec2 import Instance  # noqa: PLC0415
        from authenticator.aws.instance_names import InstanceNames  # noqa: PLC0415

        name = self._name or _INSTANCE_NAME
        instance = Instance(identity.arn.account_id, name, has_profile=True)
        batcher = Batcher(
            lambda ids: dict.fromkeys(ids, instance),
            Turns(1, 1, time.monotonic),
            size=1,
            callers=1,
        )
        names = InstanceNames(batcher, time.monotonic)
        try:
            named = await names(identity)
        finally:
            names.stop()
        if not self._name:
            self.placeholders = {"--instance-name": named}
        return named
