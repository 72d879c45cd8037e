"""The exit codes of every verb; tests/dev/test_exit_codes.py holds them against the verbs."""

from __future__ import annotations

INTERRUPTED = 130
_COMMON = {INTERRUPTED: "interrupted"}
_CLIENT = {
    0: "done",
    1: "not done; one line says why",
    2: "the command line is wrong",
    **_COMMON,
}
_COMMAND = {0: "done", 1: "not done; a line for each reason", 2: "the command line is wrong"}
_EDIT = {
    0: "done, or there was nothing to do",
    1: "not done: refused, not found, or cannot be read or written",
    2: "the command line is wrong",
    INTERRUPTED: "you said no, or interrupted it",
}

# By verb, what each code means. A group of verbs stands for those of them that are not named.
EXIT_CODES: dict[str, dict[int, str]] = {
    "token": {**_CLIENT, 0: "one document is on standard output"},
    "kubeconfig": _CLIENT,
    "whoami": _CLIENT,
    "doctor": {**_CLIENT, 0: "all is well", 1: "a check found a fault"},
    "completion": _CLIENT,
    "version": _CLIENT,
    "mappings": _EDIT,
    "mappings diff": {**_EDIT, 0: "there is no difference", 3: "there is one"},
    "mappings history diff": {**_EDIT, 0: "there is no difference", 3: "there is one"},
    "add": _EDIT,
    "lint": {
        0: "nothing as bad as `--fail-on`",
        1: "there is, or something cannot be read",
        2: "the command line is wrong",
        **_COMMON,
    },
    "explain": {
        0: "the caller may enter",
        1: "they may not, or what was given cannot be used",
        2: "the command line is wrong",
        3: "unknown: a source of mappings, or AWS, could not be asked",
        **_COMMON,
    },
    "access": {
        0: "done",
        1: "something cannot be read, or `what` finds nobody",
        2: "the question makes no sense",
        **_COMMON,
    },
    "verify": {
        0: "STS has proven the token",
        1: "it has not, or cannot be asked",
        2: "the command line is wrong",
        **_COMMON,
    },
    "authentication-config": {
        0: "the configuration is on standard output",
        1: "something cannot be read, or `--strict` and a mapping cannot be expressed",
        2: "the command line is wrong",
        **_COMMON,
    },
    "server": {
        0: "told to end, and ended in order",
        1: "it cannot start: a line for each problem",
        2: "the command line is wrong",
        **_COMMON,
    },
    "init": {**_COMMAND, **_COMMON},
    "rotate": {**_COMMAND, **_COMMON},
}


def table() -> str:
    """The table in Markdown: a row for each verb, a column for each code."""
    codes = sorted({code for meanings in EXIT_CODES.values() for code in meanings})
    lines = ["| verb | " + " | ".join(map(str, codes)) + " |", "|---" * (len(codes) + 1) + "|"]
    for verb, meanings in EXIT_CODES.items():
        cells = [meanings.get(code, "") for code in codes]
        lines.append(f"| `{verb}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
