"""Credentials that cost something to get: from the cache while they last, else asked for once."""

import os
import time

from . import cache, profiles
from .errors import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .credentials import Credentials
    from .token import Surroundings

# What decides, besides profile and files, whose credentials botocore finds.
_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
_LOGIN_VARIABLE = "AWS_LOGIN_CACHE_DIRECTORY"
_ACCOUNT_DIGITS = 12
_NAMES = range(2, 64 + 1)


class Role:
    """A role to assume first, and how.

    Args:
        arn: the role.
        external_id: what its trust policy may ask for.
        session_name: names the session.
        forward_session_name: name it as the caller's own session is named, if it is one.
        duration: how long the session lasts, in seconds; an hour unless given.

    Raises:
        ClientError: AWS takes no such ARN or session name.
    """

    __slots__ = ("arn", "duration", "external_id", "forward_session_name", "session_name")

    def __init__(
        self,
        arn: str,
        *,
        external_id: str | None = None,
        session_name: str | None = None,
        forward_session_name: bool = False,
        duration: int | None = None,
    ) -> None:
        _check(arn, session_name)
        self.arn = arn
        self.external_id = external_id
        self.session_name = session_name
        self.forward_session_name = forward_session_name
        self.duration = duration

    @classmethod
    def from_flags(cls, arn: str, flags: "Mapping[str, str]") -> "Role":
        """Return the role that the verb ``token`` is told of.

        Raises:
            ClientError: AWS takes no such ARN or session name, or the duration is no number.
        """
        duration = flags.get("duration")
        if duration and not (duration.isascii() and duration.isdigit()):
            raise ClientError(f"--duration {duration}: give a number of seconds, 900 to 43200")
        return cls(
            arn,
            external_id=flags.get("external-id"),
            session_name=flags.get("session-name"),
            forward_session_name=bool(flags.get("forward-session-name")),
            duration=int(duration) if duration else None,
        )

    def parts(self) -> tuple[str, ...]:
        """Return all that the session depends on besides the caller."""
        return (
            self.arn,
            self.external_id or "",
            self.session_name or "",
            str(self.forward_session_name),
            str(self.duration or ""),
        )


def _check(arn: str, session_name: str | None) -> None:
    """Refuse what STS would, before anybody is asked for a code."""
    owner, _, name = arn.partition(":role/")
    prefix, _, account = owner.partition(":iam::")
    if not (
        prefix.startswith("arn:aws")
        and _is_made_of(prefix.removeprefix("arn:"), "-")
        and len(account) == _ACCOUNT_DIGITS
        and account.isascii()
        and account.isdigit()
        and _is_made_of(name, "_+=,.@-/")
    ):
        raise ClientError(
            f"{arn!r} is not the ARN of a role; give --role (or DEFAULT_ROLE) one such as"
            " arn:aws:iam::111122223333:role/NAME"
        )
    if session_name and not (len(session_name) in _NAMES and _is_made_of(session_name, "_+=,.@-")):
        raise ClientError(
            f"the session name {session_name!r} is not one AWS takes; use 2 to 64 letters,"
            " digits and _+=,.@- in --session-name"
        )


def _is_made_of(text: str, marks: str) -> bool:
    """Whether there is text, of ASCII letters, digits and these marks (`re` takes 3 ms)."""
    return text.isascii() and bool(text) and all(it.isalnum() or it in marks for it in text)


class Sessions:
    """What one caller in one region gets.

    Args:
        surroundings: the caller.
        region: whose endpoints to ask.
        caching: whether to keep results, and use those kept before.
        sharing: the cluster by which the reference's cache is to be used besides.
        warn: is told of what goes wrong without consequence.
    """

    __slots__ = ("_caching", "_parts", "_region", "_sharing", "_surroundings", "_warn")

    def __init__(
        self,
        surroundings: "Surroundings",
        region: str,
        *,
        caching: bool,
        sharing: str | None,
        warn: "Callable[[str], None]",
    ) -> None:
        self._surroundings = surroundings
        self._region = region
        self._caching = caching
        self._sharing = sharing
        self._warn = warn
        environ = os.environ
        ready = surroundings.ready
        self._parts = (
            region,
            surroundings.profile,
            str(surroundings.explicit),
            ready.access_key if ready else "",
            cache.identity(profiles.expand(profiles.config_path(environ))),
            cache.identity(profiles.expand(profiles.credentials_path(environ))),
            # Logging out, or in as somebody else, ends what came of the login before.
            cache.contents(profiles.expand("~/.aws/sso/cache")),
            cache.contents(profiles.expand(environ.get(_LOGIN_VARIABLE, "~/.aws/login/cache"))),
            *[environ.get(name, "") for name in _VARIABLES],
        )

    def caller(self) -> "Credentials":
        """Return the caller's own credentials. Raises ClientError."""
        return self._caller("")

    def assumed(self, role: Role) -> "Credentials":
        """Return the credentials of a role's session. Raises ClientError."""

        def ask() -> "Credentials":
            caller = self._caller(role.arn)
            return self._surroundings.botocore().assume_role(caller, role, region=self._region)

        return self._kept((*self._parts, *role.parts()), ask)

    def _caller(self, role_arn: str) -> "Credentials":
        """Return who asks for the role, by whose ARN the reference keeps that."""
        if self._surroundings.ready:
            return self._surroundings.ready
        return self._kept(self._parts, lambda: self._ask_caller(role_arn))

    def _ask_caller(self, role_arn: str) -> "Credentials":
        if self._sharing is None:
            return self._surroundings.botocore().credentials(self._region)
        from .shared_cache import SharedCache  # noqa: PLC0415 - takes 30 ms

        shared = SharedCache(self._sharing, self._surroundings.profile, role_arn)
        found = shared.read(self._warn)
        if found is None:
            found = self._surroundings.botocore().credentials(self._region)
            if found.keep:
                shared.write(found, self._warn)
        return found

    def _kept(self, parts: tuple[str, ...], ask: "Callable[[], Credentials]") -> "Credentials":
        if not self._caching:
            return ask()
        file = cache.path(parts, os.environ)
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
