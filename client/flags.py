"""The verbs of the client as one table: their help, and which flags they have."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace

from . import usage
from .command import COMMAND, FLAGS, answer, parse
from .errors import UsageError

_Flags = tuple[tuple[str, str, str, str], ...]


def _of_token(*names: str) -> _Flags:
    return tuple(row for row in FLAGS if row[0] in names)


def _accepted(*names: str) -> _Flags:
    """Flags of all verbs of the reference that mean nothing here, hidden in the help."""
    return tuple((name, short, value, "") for name, short, value, _ in _of_token(*names))


class Verb:
    """One verb.

    Attributes:
        text: what it does.
        flags: as `client.command.FLAGS`. A value such as `text|json` is one of these, and the
            first is the default.
        words: the words that it takes besides flags, as its usage shows them.
        ignores_words: whether any words may follow, as the reference allows for some verbs.
        epilog: further paragraphs of its help.
    """

    # Not a dataclass, whose import takes longer than all else here.
    def __init__(
        self,
        text: str,
        flags: _Flags,
        *,
        words: str = "",
        ignores_words: bool = False,
        epilog: str = "",
    ) -> None:
        self.text = text
        self.flags = flags
        self.words = words
        self.ignores_words = ignores_words
        self.epilog = epilog


_WHO = _of_token("profile", "region", "role", "external-id", "session-name", "forward-session-name")
_OUTPUT: _Flags = (
    ("output", "o", "text|json", "The form of the output.  [default: text]"),
    *_of_token("help"),
)
_GLOBAL = ("cluster-id", "config", "feature-gates", "log-format", "log-verbosity")
TABLE = {
    "token": Verb(
        usage.VERB_TEXT,
        FLAGS,
        epilog=usage.VERB_MORE,
    ),
    "kubeconfig": Verb(
        "Add a cluster, a user and a context to a kubeconfig, or update them. EKS is asked for"
        " server and certificate authority, unless both are given.",
        (
            (
                "cluster-id",
                "i",
                "ID",
                "The cluster, as its webhook knows it: for EKS its name or ARN.",
            ),
            (
                "alias",
                "",
                "NAME",
                "The name of context and cluster. Default: made of the cluster and the role.",
            ),
            ("server", "", "URL", "The API server."),
            ("certificate-authority", "", "FILE", "The PEM file of its certificate authority."),
            (
                "kubeconfig",
                "",
                "FILE",
                "The file to change. Default: $KUBECONFIG or ~/.kube/config.",
            ),
            ("no-use-context", "", "", "Leave kubectl's current context as it is."),
            (
                "refresh",
                "",
                "",
                (
                    "Ask EKS again for server and certificate authority of the current"
                    " context's cluster, and change nothing else (after it was rotated)."
                ),
            ),
            ("dry-run", "", "", "Show what would change, secrets hidden."),
            ("jwt", "", "", "Log in with JWTs that AWS issues."),
            *_of_token("audience"),
            *_WHO,
            *_OUTPUT,
        ),
    ),
    "whoami": Verb(
        "Show the AWS identity that a token would carry, asked of STS, and its source.",
        (
            (
                "cluster",
                "",
                "",
                "Examine what kubectl runs for its current context, and show who the cluster sees.",
            ),
            ("context", "", "NAME", "The same for another context."),
            ("jwt", "", "", "Show the claims of a JWT that AWS issues as well."),
            *_of_token("cluster-id", "audience"),
            *_WHO,
            *_OUTPUT,
        ),
    ),
    "doctor": Verb(
        "Check, in order, what a login to the cluster of kubectl's context needs.",
        (
            ("context", "", "NAME", "The context of the kubeconfig. Default: the current one."),
            ("jwt", "", "", "Check the login with a JWT, whatever kubectl runs."),
            *_of_token("audience"),
            *_WHO,
            *_OUTPUT,
        ),
    ),
    "completion": Verb(
        "Print a script that completes verbs and flags.",
        (*_accepted(*_GLOBAL), *_of_token("help")),
        words="bash|zsh|fish",
        epilog=f"bash: source <({COMMAND} completion bash)\n\nzsh: source <({COMMAND} completion"
        f" zsh)\n\nfish: {COMMAND} completion fish | source",
    ),
    "version": Verb(
        "Show the version.",
        (
            ("output", "o", "json|yaml", "The form of the output.  [default: json]"),
            ("short", "s", "", "Print the version number only."),
            *_accepted(*_GLOBAL),
            *_of_token("help"),
        ),
        ignores_words=True,
    ),
}


def run(verb: str, arguments: list[str], function: Callable[..., str], *further: object) -> int:
    """Run a verb's function with its flags, or show its help; return the exit code.

    Args:
        verb: its name.
        arguments: the command line without it.
        function: takes the flags as attributes (text or None, and a switch as a bool; `words` for
            what is no flag), and `further`.
        further: passed on.
    """
    return answer(_run, verb, arguments, function, *further)


def _run(verb: str, arguments: list[str], function: Callable[..., str], *further: object) -> str:
    made = TABLE[verb]
    given, words = parse(arguments, made.flags, verb)
    if given.get("help"):
        return page(verb)
    if words and not (made.words or made.ignores_words):
        raise UsageError(f"unexpected argument {words[0]!r}; see {COMMAND} {verb} --help")
    for name, short, choices, _ in made.flags:
        known = choices.split("|")
        if len(known) > 1 and given.setdefault(name, known[0]) not in known:
            raise UsageError(
                f"invalid value for '-{short}' / '--{name}': {given[name]!r} is not one of"
                f" {', '.join(map(repr, known))}; see {COMMAND} {verb} --help"
            )
    return function(_namespace(made.flags, given, words), *further)


def _namespace(flags: _Flags, given: dict[str, str], words: list[str]) -> SimpleNamespace:
    values: dict[str, str | bool | None] = {}
    for name, _, value, _ in flags:
        text = given.get(name, os.environ.get("DEFAULT_ROLE") if name == "role" else None)
        values[name.replace("-", "_")] = text if value else bool(text)
    return SimpleNamespace(**values, words=words)


def page(verb: str) -> str:
    """Return the help of a verb."""
    made = TABLE[verb]
    return usage.verb_page(f"{COMMAND} {verb}", made.words, made.text, made.flags, made.epilog)
