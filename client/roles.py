"""A role that a token's caller assumes first."""

from .errors import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

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
    """Refuse what STS would, before a person is asked for a code."""
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
