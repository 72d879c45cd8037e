"""The verb ``token``: flags in, one document on stdout or one line on stderr.

No argparse: its import alone takes as long as everything else here. The grammar is that of the
reference (pflag): ``--flag value``, ``--flag=value``, ``-f value``, ``-f=value``, ``-fvalue``.
"""

import os
import sys

from . import cluster, exec_credential
from .errors import ClientError, UsageError
from .token import Token, mint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import NoReturn

COMMAND = "aws-iam-authenticator"
# Which kind of token, where no flag tells: presigned or jwt.
KIND_VARIABLE = "AWS_IAM_AUTHENTICATOR_TOKEN"
_STDOUT = 1
_INTERRUPTED = 130

# Name, short form, what its value is (empty: a switch), help.
FLAGS = (
    ("cluster-id", "i", "ID", "The cluster's ID, as its webhook knows it."),
    ("config", "c", "FILE", "The config file to read clusterID from."),
    ("role", "r", "ARN", "The role to assume first. Default: $DEFAULT_ROLE."),
    ("external-id", "e", "ID", "The external ID to assume the role with."),
    ("session-name", "s", "NAME", "The name of the role's session."),
    ("forward-session-name", "", "", "Name the session as the caller's own session."),
    ("region", "", "REGION", "The Region whose AWS endpoints to use."),
    ("duration", "", "SECONDS", "How long the role's session lasts. Default: an hour."),
    ("profile", "", "NAME", "The profile of the shared AWS files."),
    ("token-only", "", "", "Print the bare token."),
    ("jwt", "", "", "Print a JWT that AWS issues instead of a presigned request."),
    ("audience", "", "TEXT", "The audience of the JWT. Default: made of the cluster's ID."),
    ("only-temporary", "", "", "Refuse to sign with a long-lived access key."),
    ("cache", "", "", "Share the reference's credential cache in addition to our own."),
    ("no-cache", "", "", "Neither read nor write cached credentials."),
    ("feature-gates", "", "LIST", "Accepted; every feature is on."),
    ("log-format", "l", "FORMAT", "Accepted; the client does not log."),
    ("log-verbosity", "v", "LEVEL", "Accepted; the client does not log."),
    ("help", "h", "", "Show this message and exit."),
)
_EXCLUSIVE = (("forward-session-name", "session-name"), ("cache", "no-cache"))
# As Go's strconv.ParseBool reads them.
_BOOLEANS = dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), "true") | dict.fromkeys(
    ("0", "f", "F", "false", "FALSE", "False"), ""
)


def main(arguments: list[str], *, words: tuple[str, ...] = ()) -> int:
    """Run the verb and return the exit code: 0, 1 for a fault, 2 for usage, 130 if interrupted.

    Args:
        arguments: the command line without the verb; global flags may stand anywhere in it.
        words: what the command line has to hold besides flags.
    """
    return answer(_run, arguments, words)


def start(arguments: list[str], *, words: tuple[str, ...] = ()) -> "NoReturn":
    """Run the verb and end the process with its exit code.

    At once: to take Python down in good order takes a quarter as long as all the rest, and leaves
    nothing undone that the system does not do. What was to be said has been written.
    """
    os._exit(main(arguments, words=words))


def answer(run: "Callable[..., str]", *arguments: object) -> int:
    """Write what a verb's function returns, or why it did not; return the exit code."""
    try:
        _write(run(*arguments))
    except ClientError as error:
        warn(str(error))
        return error.code
    except KeyboardInterrupt:
        warn("interrupted")
        return _INTERRUPTED
    except Exception as error:  # noqa: BLE001 - kubectl users must not meet a traceback
        warn(f"internal error, please report it: {_origin(error)}")
        return 1
    return 0


def _run(arguments: list[str], words: tuple[str, ...]) -> str:
    flags, rest = parse(arguments)
    if flags.get("help"):
        from .usage import VERB_MORE, VERB_TEXT, verb_page  # noqa: PLC0415 - kubectl never asks

        return verb_page(f"{COMMAND} token", "", VERB_TEXT, FLAGS, VERB_MORE)
    if tuple(rest) != words:
        raise UsageError(
            f"expected {' and '.join((*words, 'flags'))}, got {' '.join(rest) or 'no verb'!r};"
            f" see {COMMAND} token --help"
        )
    if flags.get("token-only"):
        return _token(flags).value
    version = exec_credential.requested_version(os.environ.get("KUBERNETES_EXEC_INFO"))
    token = _token(flags)
    return exec_credential.document(token.value, expiration=token.expiration, version=version)


def _token(flags: dict[str, str]) -> Token:
    for one, other in _EXCLUSIVE:
        if flags.get(one) and flags.get(other):
            raise UsageError(f"--{one} and --{other} exclude each other; drop one")
    role = None
    if role_arn := flags.get("role", os.environ.get("DEFAULT_ROLE")):
        from .roles import Role  # noqa: PLC0415 - only for those who assume one

        role = Role.from_flags(role_arn, flags)
    if wants_jwt(flags):
        from .jwt_token import mint_jwt  # noqa: PLC0415 - not for a presigned token

        return mint_jwt(
            _cluster_id(flags),
            audience=flags.get("audience"),
            region=flags.get("region"),
            profile=flags.get("profile"),
            role=role,
            caching=not flags.get("no-cache"),
            sharing=bool(flags.get("cache")),
            only_temporary=bool(flags.get("only-temporary")),
            warn=_warn_person,
        )
    return mint(
        _cluster_id(flags),
        region=flags.get("region"),
        profile=flags.get("profile"),
        role=role,
        caching=not flags.get("no-cache"),
        sharing=bool(flags.get("cache")),
        only_temporary=bool(flags.get("only-temporary")),
        warn=_warn_person,
    )


def wants_jwt(flags: "Mapping[str, str]") -> bool:
    """Return whether a JWT is asked for, by the flag or else by the variable.

    Args:
        flags: from `parse`.

    Raises:
        ClientError: the variable names another kind, or an audience is given without a JWT.
    """
    kind = os.environ.get(KIND_VARIABLE) or "presigned"
    if kind not in {"presigned", "jwt"}:
        raise ClientError(f"{KIND_VARIABLE} is {kind!r}; set it to presigned or jwt")
    chosen = bool(flags["jwt"]) if "jwt" in flags else kind == "jwt"
    if flags.get("audience") and not chosen:
        raise UsageError("--audience is that of a JWT; add --jwt, or drop it")
    return chosen


def _cluster_id(flags: dict[str, str]) -> str:
    cluster_id = flags.get("cluster-id") or os.environ.get(cluster.VARIABLE)
    if not cluster_id:
        cluster_id = exec_credential.cluster_id(os.environ.get("KUBERNETES_EXEC_INFO"))
    if not cluster_id and flags.get("config"):
        cluster_id = cluster.from_config(flags["config"])
    return cluster_id or ""


def parse(
    arguments: list[str],
    flags: "tuple[tuple[str, str, str, str], ...]" = FLAGS,
    verb: str = "token",
) -> tuple[dict[str, str], list[str]]:
    """Return the flags given, by long name, and the other words; a switch is ``true`` or empty.

    Args:
        arguments: the command line without the verb.
        flags: those that the verb has, as `FLAGS`.
        verb: its name, for messages.

    Raises:
        UsageError: a flag is unknown or lacks its value.
    """
    given: dict[str, str] = {}
    words: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            words.extend(rest)
        elif not argument.startswith("-") or argument == "-":
            words.append(argument)
        else:
            spelling, attached = _spelling(argument)
            name, is_switch = _named(spelling, flags, verb)
            if is_switch:
                given[name] = boolean(argument, "true" if attached is None else attached)
                continue
            value = next(rest, None) if attached is None else attached
            if value is None:
                raise UsageError(f"{argument} needs a value; see {COMMAND} {verb} --help")
            given[name] = value
    return given, words


def _spelling(argument: str) -> tuple[str, str | None]:
    """Return a flag without the value that is attached to it, and that value if there is one."""
    if argument.startswith("--"):
        flag, equals, value = argument.partition("=")
        return flag, value if equals else None
    return argument[:2], argument[2:].removeprefix("=") if argument[2:] else None


def _named(
    spelling: str, flags: "tuple[tuple[str, str, str, str], ...]", verb: str
) -> tuple[str, bool]:
    """Return the long name of a flag, and whether it is a switch."""
    for name, short, value, _ in flags:
        if spelling == f"--{name}" or (short and spelling == f"-{short}"):
            return name, not value
    from .usage import unknown  # noqa: PLC0415 - kubectl's flags are known

    known = [f"--{name}" for name, _, _, _ in flags]
    raise UsageError(unknown("flag", spelling, known, f"{COMMAND} {verb}"))


def boolean(argument: str, value: str) -> str:
    """Return "true", or "" for false, of a switch's value. Raises UsageError."""
    if value not in _BOOLEANS:
        raise UsageError(f"{argument}: a switch is true or false")
    return _BOOLEANS[value]


def _write(text: str) -> None:
    """Write the one thing that ever goes to stdout.

    Past Python's buffers, so that a reader who left is noticed here and not again at the end.
    """
    data = f"{text}\n".encode()
    try:
        while data:
            data = data[os.write(_STDOUT, data) :]
    except OSError as error:
        raise ClientError(
            f"cannot write to stdout: {error.strerror}; check what reads it"
        ) from error


def _origin(error: BaseException) -> str:
    """Say what was raised where, without its words, which may hold anything."""
    step = error.__traceback__
    while step and step.tb_next:
        step = step.tb_next
    place = f"{step.tb_frame.f_code.co_filename}:{step.tb_lineno}" if step else "nowhere"
    return f"{type(error).__name__} at {place}"


def one_line(text: str) -> str:
    """Return any text as one line that a terminal does not obey, as `authenticator.display`."""
    line = " ".join(text.split())
    if line.isascii() and line.isprintable():
        return line
    from . import display  # noqa: PLC0415 - rarely needed, and not for `token`

    return display.escaped(line)


def warn(message: str) -> None:
    """Write one line to stderr, whatever is in the message."""
    # None where kubectl was started without one.
    if sys.stderr is not None:
        sys.stderr.write(f"{COMMAND}: {one_line(message)}\n")
        sys.stderr.flush()


def _warn_person(message: str) -> None:
    """Write one line to stderr if that is a terminal.

    fabric8 appends stderr to stdout, and .NET takes any output there for a failure.
    """
    if _at_terminal():
        warn(message)


def _at_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()
