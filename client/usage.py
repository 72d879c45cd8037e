"""Help pages and complaints about command lines, as all verbs have them.

They look like click's, which the server's and the administrators' verbs use
(tests/contract/test_command_line.py), and need the standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from . import cluster

# The verbs of the client, each with one line of help.
USERS = (
    ("token", "Print a token that logs you in (kubectl runs this)."),
    ("kubeconfig", "Add a cluster to a kubeconfig, or update it."),
    ("whoami", "Show the AWS identity that a token would carry."),
    ("doctor", "Check what a login needs, each fault with a remedy."),
    ("completion", "Complete verbs and flags in bash, zsh or fish."),
    ("version", "Show the version."),
)
# Text and epilog of the verb `token`.
VERB_TEXT = (
    "Print an ExecCredential for kubectl: a token that proves your AWS identity to a cluster."
)
VERB_MORE = (
    f"Environment: {cluster.VARIABLE} (-i), DEFAULT_ROLE (-r), AWS_IAM_AUTHENTICATOR_TOKEN (jwt or"
    " presigned), AWS_PROFILE, AWS_REGION and the other variables of the AWS SDKs."
)
# click's measures: of a page, and of the column that names flags or verbs.
_WIDEST, _NARROWEST, _MARGIN = 100, 50, 2
_COLUMN, _GAP, _LEAST_TEXT, _LEAST_ARGUMENTS = 30, 2, 10, 20
_INDENT = "  "

Row = tuple[str, str]


def page(
    command: str,
    arguments: str,
    text: str,
    sections: Iterable[tuple[str, Sequence[Row]]],
    epilog: str = "",
) -> str:
    """Return a help page, as wide as the terminal and at most 100 columns.

    Args:
        command: the beginning of the command line.
        arguments: what may follow it.
        text: what it does; paragraphs are separated by empty lines.
        sections: title and rows of each list of flags or verbs.
        epilog: paragraphs that stand below.
    """
    import shutil  # noqa: PLC0415 - every verb imports this module, and few show help

    width = max(min(shutil.get_terminal_size().columns, _WIDEST) - _MARGIN, _NARROWEST)
    parts = [_usage(command, arguments, width), _paragraphs(text, width)]
    parts += [f"{title}:\n{_listed(rows, width - len(_INDENT))}" for title, rows in sections]
    if epilog:
        parts.append(_paragraphs(epilog, width))
    return "\n".join(parts).removesuffix("\n")


def _usage(command: str, arguments: str, width: int) -> str:
    head = f"Usage: {command} "
    if width >= len(head) + _LEAST_ARGUMENTS:
        first, *rest = _wrap(arguments, width - len(head))
        return "\n".join([head + first, *(" " * len(head) + line for line in rest)]) + "\n"
    return f"{head}\n{_fill(arguments, width, ' ' * (len('Usage: ') + 4))}\n"


def _paragraphs(text: str, width: int) -> str:
    filled = [_fill(part, width, _INDENT) for part in text.split("\n\n")]
    return "\n\n".join(filled) + "\n"


def _fill(text: str, width: int, indent: str) -> str:
    return "\n".join(indent + line for line in _wrap(text, width - len(indent)))


def _wrap(text: str, width: int) -> list[str]:
    """Return lines without breaking paths, flags and commands."""
    import textwrap  # noqa: PLC0415 - as above

    return textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False)


def _listed(rows: Sequence[Row], width: int) -> str:
    column = min(max(len(name) for name, _ in rows), _COLUMN) + _GAP
    lines: list[str] = []
    for name, text in rows:
        first, *rest = _wrap(text, max(width - column, _LEAST_TEXT))
        if len(name) <= column - _GAP:
            lines.append(f"{name:<{column}}{first}")
        else:
            lines += [name, " " * column + first]
        lines += [" " * column + line for line in rest]
    return "".join(f"{_INDENT}{line}\n" for line in lines)


def verb_page(
    command: str, words: str, text: str, flags: Iterable[tuple[str, str, str, str]], epilog: str
) -> str:
    """Return the help page of a verb.

    Args:
        command: the command with the verb.
        words: what it takes besides flags.
        text: what it does.
        flags: name, short form, value and help of each, as `client.command.FLAGS`.
        epilog: further paragraphs.
    """
    arguments = f"[flags] {words}".rstrip()
    return page(command, arguments, text, [("Flags", _flag_rows(flags))], epilog)


def _flag_rows(flags: Iterable[tuple[str, str, str, str]]) -> list[Row]:
    """Return each flag as a page shows it; one without help is hidden."""
    return [
        (
            (
                f"{f'-{short}, ' if short else ''}--{name}"
                f"{f' [{value}]' if '|' in value else f' {value}' if value else ''}"
            ),
            text,
        )
        for name, short, value, text in flags
        if text
    ]


def unknown(kind: str, word: str, known: Sequence[str], command: str) -> str:
    """Say that a flag or verb does not exist, and which one may be meant.

    Args:
        kind: "flag" or "verb".
        word: what was typed.
        known: what there is.
        command: the command line whose help lists them.
    """
    import difflib  # noqa: PLC0415 - as above

    shown = word if kind == "flag" else repr(word)
    if near := difflib.get_close_matches(word, known, n=1):
        return f"unknown {kind} {shown}; did you mean {near[0]}? See {command} --help"
    return f"unknown {kind} {shown}; see {command} --help"
