"""Mint a bearer token: find credentials, choose the STS host, sign."""

import os
import time
from binascii import b2a_base64

from . import cluster, credentials, endpoints, exec_credential, profiles, sigv4
from .errors import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .botocore_credentials import BotocoreSession
    from .roles import Role
    from .sessions import Sessions

PREFIX = "k8s-aws-v1."

# STS takes a token for 15 minutes from its date; one minute is left for clocks and the way there.
_LIFETIME_SECONDS = 14 * 60
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Token:
    """A bearer token for one cluster and the time it stops being usable, in epoch seconds."""

    __slots__ = ("expiration", "value")

    def __init__(self, value: str, expiration: float) -> None:
        self.value = value
        self.expiration = expiration

    def __repr__(self) -> str:
        return f"<Token until {self.expiration:.0f}>"


def mint(
    cluster_id: str,
    *,
    region: str | None = None,
    profile: str | None = None,
    role: "Role | None" = None,
    caching: bool = True,
    sharing: bool = False,
    only_temporary: bool = False,
    warn: "Callable[[str], None] | None" = None,
) -> Token:
    """Return a token that proves the caller's AWS identity to one cluster.

    Credentials, region and endpoint options come from the environment and the shared AWS files as
    for any AWS SDK.

    Args:
        cluster_id: the cluster's id, which its webhook must know it by.
        region: whose STS endpoint to sign for; AWS_REGION, AWS_DEFAULT_REGION and the profile
            come next, then us-east-1.
        profile: a profile of the shared files, even if the environment has credentials.
        role: a role to assume first.
        caching: keep sessions that had to be asked for, and use those kept before.
        sharing: use the reference's cache besides.
        only_temporary: sign with no access key that lives until it is deleted.
        warn: is told of what goes wrong without consequence, such as a cache that others can
            write to; `warnings.warn` unless given.

    Raises:
        ClientError: no token can be made; the message says why and what to do.
    """
    cluster.check(cluster_id)
    signer, endpoint = find(
        region=region,
        profile=profile,
        role=role,
        caching=caching,
        sharing=cluster_id if sharing else None,
        warn=warn,
        only_temporary=only_temporary,
    )
    return sign(signer, cluster_id, endpoint, now=time.time())


def find(
    *,
    region: str | None,
    profile: str | None,
    role: "Role | None",
    caching: bool,
    sharing: str | None,
    warn: "Callable[[str], None] | None",
    regional: bool = False,
    only_temporary: bool = False,
) -> "tuple[credentials.Credentials, endpoints.Endpoint]":
    """Return who signs and for which endpoint; the arguments are those of `mint`.

    ``sharing`` names the cluster, by which the reference keeps its credentials. ``regional`` leaves
    out the global endpoint, whatever the settings say.

    Raises:
        ClientError: there are no credentials, or what they need is refused or out of reach.
    """
    surroundings = Surroundings(profile)
    settings = surroundings.settings
    endpoint = _endpoint(region, settings, regional=regional)
    if surroundings.ready and not role:
        signer = surroundings.ready
    else:
        sessions = _sessions(
            surroundings,
            endpoint,
            region_named=bool(region or named_region(settings)),
            caching=caching,
            sharing=sharing,
            warn=warn or default_warn,
        )
        signer = sessions.assumed(role) if role else sessions.caller()
        if signer.region:
            endpoint = _endpoint(signer.region, settings, regional=regional)
    if only_temporary and not signer.session_token:
        raise ClientError(
            f"the credentials from {signer.source} are a long-lived access key, which"
            " --only-temporary refuses; use a role (-r), `aws sso login` or `aws login`"
        )
    return signer, endpoint


def _sessions(
    surroundings: "Surroundings",
    endpoint: endpoints.Endpoint,
    *,
    region_named: bool,
    caching: bool,
    sharing: str | None,
    warn: "Callable[[str], None]",
) -> "Sessions":
    from .sessions import Sessions  # noqa: PLC0415 - not for ready credentials

    return Sessions(
        surroundings.ready,
        surroundings.botocore,
        profile=surroundings.profile,
        explicit=surroundings.explicit,
        settings=surroundings.settings,
        region=endpoint.region,
        region_named=region_named,
        caching=caching,
        sharing=sharing,
        warn=warn,
    )


def sign(
    ready: credentials.Credentials, cluster_id: str, endpoint: endpoints.Endpoint, *, now: float
) -> Token:
    """Return the token of these credentials.

    Raises:
        ClientError: they have expired.
    """
    expiration = now + _LIFETIME_SECONDS
    if ready.expiration is not None:
        expiration = min(expiration, ready.expiration)
    if expiration <= now:
        end = exec_credential.rfc3339(expiration)
        raise ClientError(f"the credentials from {ready.source} expired at {end}; renew them")
    url = sigv4.presign(
        ready, host=endpoint.host, region=endpoint.region, cluster_id=cluster_id, now=now
    )
    encoded = b2a_base64(url.encode(), newline=False).rstrip(b"=").translate(_URL_SAFE)
    return Token(PREFIX + encoded.decode(), expiration)


class Surroundings:
    """What the environment and the shared files say, and botocore where that is not all."""

    __slots__ = ("_session", "explicit", "profile", "ready", "settings")

    def __init__(self, profile: str | None) -> None:
        environ = os.environ
        name = profile or profiles.profile_of(environ)
        self.explicit = bool(profile)
        self.profile = name or "default"
        self.ready: credentials.Credentials | None = None
        self._session: BotocoreSession | None = None
        try:
            files = profiles.SharedFiles.read(environ)
        except profiles.NotPlainError:
            files = profiles.SharedFiles(credentials={}, config={})
            try:
                self.settings = self.botocore().settings()
            except ClientError:
                # The environment's keys need nothing of a file that botocore cannot read either.
                if self.explicit or not environ.get("AWS_ACCESS_KEY_ID"):
                    raise
                self.settings = {}
        else:
            settings = files.merged(self.profile)
            if settings is None and name:
                raise ClientError(
                    profiles.unknown(name, files.names(), environ, explicit=self.explicit)
                )
            self.settings = settings or {}
        self.ready = credentials.ready(environ, files, profile=self.profile, explicit=self.explicit)

    def botocore(self) -> "BotocoreSession":
        """Return botocore's session for the profile, imported and made when first needed."""
        if self._session is None:
            from .imports import botocore_session  # noqa: PLC0415 - takes 200 ms

            self._session = botocore_session(self.profile if self.explicit else None)
        return self._session


def default_warn(message: str) -> None:
    """Warn a program that uses the library."""
    import warnings  # noqa: PLC0415 - seldom needed

    warnings.warn(message, stacklevel=2)


def _endpoint(
    region: str | None, settings: "profiles.Section", *, regional: bool = False
) -> endpoints.Endpoint:
    style = _option("sts_regional_endpoints", settings) or "regional"
    if style not in {"legacy", "regional"}:
        raise ClientError(
            f"AWS_STS_REGIONAL_ENDPOINTS (sts_regional_endpoints in the profile) is {style!r};"
            " set it to legacy or regional"
        )
    # A region that the caller names is meant, whatever the style, as in the reference.
    legacy = style == "legacy" and not (region or regional)
    region = region or named_region(settings) or None
    return endpoints.resolve(
        None if regional and region == "aws-global" else region,
        legacy=legacy,
        fips=_option("use_fips_endpoint", settings) == "true",
        dual_stack=_option("use_dualstack_endpoint", settings) == "true",
    )


def named_region(settings: "profiles.Section") -> str:
    """Return the Region that the environment or the profile chooses, empty if neither does."""
    environ = os.environ
    named = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    return named or _text(settings, "region")


def _option(key: str, settings: "profiles.Section") -> str:
    return (os.environ.get(f"AWS_{key.upper()}") or _text(settings, key)).lower()


def _text(settings: "profiles.Section", key: str) -> str:
    value = settings.get(key, "")
    return value if isinstance(value, str) else ""
