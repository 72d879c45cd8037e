"""Mint a bearer token: find credentials, choose the STS host, sign."""

import os
import time
from binascii import b2a_base64

from . import cluster, credentials, endpoints, profiles, sigv4
from .errors import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .botocore_credentials import BotocoreSession

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
    role_arn: str | None = None,
    external_id: str | None = None,
    session_name: str | None = None,
    forward_session_name: bool = False,
) -> Token:
    """Return a token that proves the caller's AWS identity to one cluster.

    Credentials, region and endpoint options come from the environment and the shared AWS files as
    for any AWS SDK.

    Args:
        cluster_id: the cluster's id, which its webhook must know it by.
        region: whose STS endpoint to sign for; AWS_REGION, AWS_DEFAULT_REGION and the profile
            come next, then us-east-1.
        profile: a profile of the shared files, even if the environment has credentials.
        role_arn: a role to assume first.
        external_id: what the role's trust policy may ask for.
        session_name: names the role's session.
        forward_session_name: name it as the caller's own session is named, if it is one.

    Raises:
        ClientError: no token can be made; the message says why and what to do.
    """
    cluster.check(cluster_id)
    surroundings = _Surroundings(profile)
    endpoint = _endpoint(region, surroundings.settings)
    ready = surroundings.ready or surroundings.botocore().credentials(endpoint.region)
    if role_arn:
        ready = surroundings.botocore().assume_role(
            ready,
            role_arn,
            region=endpoint.region,
            external_id=external_id,
            session_name=session_name,
            forward_session_name=forward_session_name,
        )
    return sign(ready, cluster_id, endpoint, now=time.time())


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
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expiration))
        raise ClientError(f"the credentials from {ready.source} expired at {end}; renew them")
    url = sigv4.presign(
        ready, host=endpoint.host, region=endpoint.region, cluster_id=cluster_id, now=now
    )
    encoded = b2a_base64(url.encode(), newline=False).rstrip(b"=").translate(_URL_SAFE)
    return Token(PREFIX + encoded.decode(), expiration)


class _Surroundings:
    """What the environment and the shared files say, and botocore where that is not all."""

    __slots__ = ("_profile", "_session", "ready", "settings")

    def __init__(self, profile: str | None) -> None:
        self._profile = profile
        self._session: BotocoreSession | None = None
        self.ready: credentials.Credentials | None = None
        environ = os.environ
        name = profile or environ.get("AWS_DEFAULT_PROFILE") or environ.get("AWS_PROFILE")
        try:
            files = profiles.SharedFiles.read(environ)
        except profiles.NotPlainError:
            self.settings = self.botocore().settings()
            return
        settings = files.merged(name or "default")
        if settings is None and name:
            raise ClientError(profiles.unknown(name, files.names(), environ))
        self.settings = settings or {}
        self.ready = credentials.ready(
            environ, files, profile=name or "default", explicit=profile is not None
        )

    def botocore(self) -> "BotocoreSession":
        """Return botocore's session for the profile, imported and made when first needed."""
        if self._session is None:
            try:
                from .botocore_credentials import BotocoreSession  # noqa: PLC0415 - takes 200 ms
            except ModuleNotFoundError as error:
                raise ClientError(
                    f"these credentials need botocore ({error}); run `pip install botocore`, or"
                    " put keys in the environment"
                ) from error
            self._session = BotocoreSession(self._profile)
        return self._session


def _endpoint(region: str | None, settings: "profiles.Section") -> endpoints.Endpoint:
    style = _option("sts_regional_endpoints", settings) or "regional"
    if style not in {"legacy", "regional"}:
        raise ClientError(
            f"AWS_STS_REGIONAL_ENDPOINTS (sts_regional_endpoints in the profile) is {style!r};"
            " set it to legacy or regional"
        )
    # A region that the caller names is meant, whatever the style, as in the reference.
    legacy = style == "legacy" and not region
    region = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return endpoints.resolve(
        region or _text(settings, "region") or None,
        legacy=legacy,
        fips=_option("use_fips_endpoint", settings) == "true",
        dual_stack=_option("use_dualstack_endpoint", settings) == "true",
    )


def _option(key: str, settings: "profiles.Section") -> str:
    return (os.environ.get(f"AWS_{key.upper()}") or _text(settings, key)).lower()


def _text(settings: "profiles.Section", key: str) -> str:
    value = settings.get(key, "")
    return value if isinstance(value, str) else ""
