"""A JWT of AWS as the bearer token: asked of STS once, then handed out until it ends.

kubectl waits for the plugin at every command. A token that was kept costs a hash and a file, so
that the next command is as fast as with a presigned token; ``web_identity`` is loaded only to ask.
"""

import os
import time

from . import cache, cluster, exec_credential
from . import token as presigned
from .errors import ClientError
from .token import Token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .credentials import Credentials
    from .endpoints import Endpoint
    from .roles import Role

# With a namespace, so that a token for another service named "prod" does not open the cluster prod.
AUDIENCE_PREFIX = "urn:k8s-aws:"
HEADER = "aws-iam-authenticator jwt 1"

_AUDIENCE_LENGTH = 1000
# For clocks that differ and for the way to the API server.
_EARLY_SECONDS = 60
# A token that ends sooner is not handed out again: a program would ask for the next one at once.
_MARGIN_SECONDS = 60


def mint_jwt(
    cluster_id: str,
    *,
    audience: str | None = None,
    region: str | None = None,
    profile: str | None = None,
    role: "Role | None" = None,
    caching: bool = True,
    sharing: bool = False,
    reuse: bool = True,
    only_temporary: bool = False,
    warn: "Callable[[str], None] | None" = None,
) -> Token:
    """Return a JWT, signed by AWS, that proves the caller's AWS identity to one cluster.

    It lasts 15 minutes, and never longer than the credentials. STS is asked in its Region: the
    global endpoint has no JWTs.

    Args:
        cluster_id: the cluster's id; the audience is made of it. May be empty with an audience.
        audience: the token's audience, where it is not ``urn:k8s-aws:CLUSTERID``.
        region: whose STS endpoint to ask; else as in `client.mint`.
        profile: a profile of the shared files, even if the environment has credentials.
        role: a role to assume first.
        caching: keep sessions and tokens that had to be asked for, and use those kept before.
        sharing: use the reference's credential cache as well.
        reuse: hand out a token that was kept. A long-running program, which keeps it itself, says
            no, so that it gets another one when the cluster refuses this one.
        only_temporary: ask with no access key that lives until it is deleted.
        warn: is told of what goes wrong without consequence; `warnings.warn` unless given.

    Raises:
        ClientError: no token can be had; the message says why and what to do.
    """
    audience = audience or AUDIENCE_PREFIX + cluster.check(cluster_id)
    _check(audience)
    warn = warn or presigned.default_warn
    signer, endpoint = presigned.find(
        region=region,
        profile=profile,
        role=role,
        caching=caching,
        sharing=cluster_id if sharing else None,
        warn=warn,
        regional=True,
        only_temporary=only_temporary,
    )
    # The access key id stands for the identity: a session's never serves another session.
    parts = (HEADER, audience, endpoint.host, signer.access_key)
    file = cache.path(parts, os.environ) if caching and reuse else ""
    if not file:
        return _ask(signer, endpoint, audience, profile)
    found = _read(file, warn)
    if found is None:
        from . import cache_files  # noqa: PLC0415 - only where there is waiting anyway

        with cache_files.locked(file, warn) as usable:
            # Another run may have got one while this one waited; it has warned, too.
            found = _read(file, _ignore)
            if found is None:
                found = _ask(signer, endpoint, audience, profile)
                if usable:
                    lines = (HEADER, found.value, f"{found.expiration:.0f}")
                    cache_files.write_lines(file, lines, warn)
    return found


def _check(audience: str) -> None:
    """Refuse what STS would. Raises ClientError."""
    if len(audience) > _AUDIENCE_LENGTH or not audience.isprintable():
        raise ClientError(
            f"the audience {audience[:50]!r} is not one STS takes; give --audience 1 to"
            f" {_AUDIENCE_LENGTH} printable characters"
        )


def _ask(signer: "Credentials", endpoint: "Endpoint", audience: str, profile: str | None) -> Token:
    """Return a new token. Raises ClientError."""
    from .web_identity import WebIdentity  # noqa: PLC0415 - takes as long as all the rest

    now = time.time()
    if signer.expiration is not None and signer.expiration <= now:
        end = exec_credential.rfc3339(signer.expiration)
        raise ClientError(f"the credentials from {signer.source} expired at {end}; renew them")
    surroundings = presigned.Surroundings(profile)
    source = WebIdentity(signer, endpoint, surroundings.profile, surroundings.settings)
    asked = source.ask(audience, now=now)
    # By this computer's clock, as the end of a presigned token is.
    lifetime = asked.lifetime - min(_EARLY_SECONDS, asked.lifetime // 4)
    return Token(asked.value, int(now) + lifetime)


def _read(file: str, warn: "Callable[[str], None]") -> Token | None:
    """Return the token in a file; None if it is missing, ends soon or cannot be trusted."""
    try:
        text = cache.read_own(file)
        found = _parse(text) if text else None
    except cache.UnsafeFileError as error:
        warn(f"ignoring the cached token in {file}: {error}; remove the file")
        return None
    if found is None or found.expiration - time.time() <= _MARGIN_SECONDS:
        return None
    return found


def _parse(text: str) -> Token:
    """Read three lines: header, token, end."""
    lines = text.split("\n")
    if len(lines) != len((HEADER, "token", "end", "")) or lines[0] != HEADER or lines[3]:
        raise cache.UnsafeFileError("it is damaged")
    _, value, end, _ = lines
    letters = value.replace("-", "").replace("_", "").replace(".", "")
    if not (letters.isascii() and letters.isalnum() and end.isascii() and end.isdigit()):
        raise cache.UnsafeFileError("it is damaged")
    return Token(value, float(end))


def _ignore(_: str) -> None:
    """Say nothing."""
