"""What the client's verbs for people share: whose credentials their flags mean."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from . import command, jwt_token, token
from .roles import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .credentials import Credentials
    from .endpoints import Endpoint
    from .token import Token


def adopt(flags: Any, others: Mapping[str, str]) -> None:
    """Take those of the verb ``token``'s flags that the command line does not have.

    Args:
        flags: what `client.flags` read; changed.
        others: flags of the verb ``token``, by long name.
    """
    for name in ("profile", "region", "role", "external_id", "session_name", "audience"):
        given = getattr(flags, name)
        named = name != "role" or given != os.environ.get("DEFAULT_ROLE")
        if not (given and named):
            setattr(flags, name, others.get(name.replace("_", "-")) or given)
    if others.get("forward-session-name") and not flags.session_name:
        flags.forward_session_name = True
    # May be empty now, which is the flag that says no.
    flags.jwt = flags.jwt or others.get("jwt", False)


def wants_jwt(flags: Any) -> bool:
    """Return whether the flags, or else the environment, ask for a JWT. Raises ClientError."""
    kind = {} if flags.jwt is False else {"jwt": "true" if flags.jwt else ""}
    return command.wants_jwt({**kind, "audience": flags.audience or ""})


def jwt(flags: Any, cluster_id: str) -> Token:
    """Return a JWT of who the flags say asks.

    Args:
        flags: what `client.flags` read.
        cluster_id: the cluster that it is for; may be empty with an audience among the flags.

    Raises:
        ClientError: it cannot be had.
    """
    return jwt_token.mint_jwt(
        cluster_id,
        audience=flags.audience,
        region=flags.region,
        profile=flags.profile,
        role=role(flags),
        warn=command.warn,
    )


def role(flags: Any) -> Role | None:
    """Return the role that the flags name, if any."""
    if not flags.role:
        return None
    return Role(
        flags.role,
        external_id=flags.external_id,
        session_name=flags.session_name,
        forward_session_name=flags.forward_session_name,
    )


def credentials(flags: Any, *, assumed: bool = True) -> tuple[Credentials, Endpoint]:
    """Return who the flags say asks, and the STS endpoint of their region.

    Args:
        flags: what `client.flags` read.
        assumed: with the role assumed, if one is named.

    Raises:
        ClientError: there are no credentials, or what they need is refused or out of reach.
    """
    return token.find(
        region=flags.region,
        profile=flags.profile,
        role=role(flags) if assumed else None,
        caching=True,
        sharing=None,
        warn=command.warn,
    )
