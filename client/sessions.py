"""Credentials that cost something to get: from the cache while they last, else asked for once."""

import os
import time

from . import cache, profiles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .botocore_credentials import BotocoreSession
    from .credentials import Credentials
    from .profiles import Section
    from .roles import Role

# Every variable of the SDKs may decide whose credentials botocore finds, or who is asked for them.
# These do not, or the access key id stands for them; a secret has no place in a key.
_NOT_IN_KEY = frozenset(
    {
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_IAM_AUTHENTICATOR_TOKEN",
        "AWS_MAX_ATTEMPTS",
        "AWS_PAGER",
        "AWS_RETRY_MODE",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SECURITY_TOKEN",
        "AWS_SESSION_TOKEN",
    }
)
# Raised when the key's parts change, so that sessions kept under the old ones are not found.
_KEY_VERSION = "2"
_LOGIN_VARIABLE = "AWS_LOGIN_CACHE_DIRECTORY"


class Sessions:
    """What one caller in one region gets.

    Args:
        ready: the caller's own credentials, where nothing needs to be asked for them.
        botocore: returns botocore's session for the caller's profile; called when needed.
        profile: the name of the profile in force.
        explicit: whether the caller named the profile.
        settings: what the profile says.
        region: the region whose endpoints to ask.
        region_named: whether the region was chosen.
        caching: whether to use the cache of sessions and add to it.
        sharing: the cluster whose entry of the reference's cache to use as well.
        warn: is told of faults without consequence.
    """

    __slots__ = (
        "_botocore",
        "_caching",
        "_parts",
        "_profile",
        "_ready",
        "_region",
        "_region_named",
        "_runs_process",
        "_sharing",
        "_warn",
    )

    def __init__(
        self,
        ready: "Credentials | None",
        botocore: "Callable[[], BotocoreSession]",
        *,
        profile: str,
        explicit: bool,
        settings: "Section",
        region: str,
        region_named: bool,
        caching: bool,
        sharing: str | None,
        warn: "Callable[[str], None]",
    ) -> None:
        self._ready = ready
        self._botocore = botocore
        self._profile = profile
        self._region = region
        self._region_named = region_named
        self._runs_process = "credential_process" in settings
        self._caching = caching
        self._sharing = sharing
        self._warn = warn
        environ = os.environ
        web_token = environ.get("AWS_WEB_IDENTITY_TOKEN_FILE") or settings.get(
            "web_identity_token_file"
        )
        self._parts = (
            _KEY_VERSION,
            region,
            profile,
            str(explicit),
            ready.access_key if ready else "",
            cache.identity(profiles.expand(profiles.config_path(environ))),
            cache.identity(profiles.expand(profiles.credentials_path(environ))),
            # Logging out, or in as somebody else, ends what came of the login before.
            cache.contents(profiles.expand("~/.aws/sso/cache")),
            cache.contents(profiles.expand(environ.get(_LOGIN_VARIABLE, "~/.aws/login/cache"))),
            cache.identity(profiles.expand(web_token)) if isinstance(web_token, str) else "",
            *sorted(
                [
                    f"{name}={value}"
                    for name, value in environ.items()
                    if name.startswith("AWS_") and name not in _NOT_IN_KEY
                ]
            ),
        )

    def caller(self) -> "Credentials":
        """Return the caller's own credentials. Raises ClientError."""
        return self._caller("")

    def assumed(self, role: "Role") -> "Credentials":
        """Return the credentials of a role's session. Raises ClientError."""

        def ask() -> "Credentials":
            caller = self._caller(role.arn)
            return self._botocore().assume_role(caller, role, region=self._region)

        return self._kept((*self._parts, *role.parts()), ask)

    def _caller(self, role_arn: str) -> "Credentials":
        """Return who asks for the role, by whose ARN the reference keeps that."""
        if self._ready:
            return self._ready
        return self._kept(self._parts, lambda: self._ask_caller(role_arn))

    def _ask_caller(self, role_arn: str) -> "Credentials":
        if self._sharing is None or not cache.reference_path(os.environ):
            return self._ask_botocore()
        from .shared_cache import SharedCache  # noqa: PLC0415 - takes 30 ms

        shared = SharedCache(self._sharing, self._profile, role_arn)
        found = shared.read(self._warn)
        if found is None:
            found = self._ask_botocore()
            shared.write(found, self._warn)
        return found

    def _ask_botocore(self) -> "Credentials":
        return self._botocore().credentials(self._region, region_named=self._region_named)

    def _kept(self, parts: tuple[str, ...], ask: "Callable[[], Credentials]") -> "Credentials":
        caching = self._caching and not self._runs_process
        file = cache.path(parts, os.environ) if caching else ""
        if not file:
            return ask()
        found = cache.read(file, now=time.time(), warn=self._warn)
        if found is None:
            from . import cache_files  # noqa: PLC0415 - only where there is waiting anyway

            with cache_files.locked(file, self._warn) as usable:
                # Another run may have got them while this one waited; it has warned, too.
                found = cache.read(file, now=time.time(), warn=_ignore)
                if found is None:
                    found = ask()
                    if usable and found.keep and found.expiration is not None:
                        cache_files.write(file, found, self._warn)
        return found


def _ignore(_: str) -> None:
    """Say nothing."""
