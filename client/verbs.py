"""What the client's verbs for people share: flags, and whose credentials they mean.

None of them runs at every kubectl command, so they may take argparse's time.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any, NoReturn

from . import command, token
from .errors import ClientError
from .roles import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .credentials import Credentials
    from .endpoints import Endpoint


class Parser(argparse.ArgumentParser):
    """argparse whose complaints are ours."""

    def error(self, message: str) -> NoReturn:
        """Raise ClientError."""
        raise ClientError(f"{message}; see {self.prog} --help")


def parser(verb: str, description: str) -> Parser:
    """Return a parser with the flags that say who asks, as the verb ``token`` has them."""
    made = Parser(prog=f"{command.COMMAND} {verb}", description=description, allow_abbrev=False)
    made.add_argument("--profile", metavar="NAME", help="profile of the shared AWS files")
    made.add_argument("--region", help="region whose endpoints to ask")
    made.add_argument(
        *("-r", "--role"),
        metavar="ARN",
        default=os.environ.get("DEFAULT_ROLE"),
        help="role to assume first (DEFAULT_ROLE)",
    )
    made.add_argument("-e", "--external-id", metavar="ID", help="external id to assume it with")
    name = made.add_mutually_exclusive_group()
    name.add_argument("-s", "--session-name", metavar="NAME", help="name for the role's session")
    name.add_argument(
        "--forward-session-name", action="store_true", help="name it as the caller's own session"
    )
    made.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="how to show the result"
    )
    return made


def adopt(flags: Any, others: Mapping[str, str]) -> None:
    """Take those of the verb ``token``'s flags that the command line does not have.

    Args:
        flags: what `parser` parsed; changed.
        others: flags of the verb ``token``, by long name.
    """
    for name in ("profile", "region", "role", "external_id", "session_name"):
        given = getattr(flags, name)
        named = name != "role" or given != os.environ.get("DEFAULT_ROLE")
        if not (given and named):
            setattr(flags, name, others.get(name.replace("_", "-")) or given)
    if others.get("forward-session-name") and not flags.session_name:
        flags.forward_session_name = True


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
        flags: what `parser` parsed.
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
