"""`aws-iam-authenticator VERB`: picks the verb and imports only what that verb needs.

`token` runs at every kubectl command, so that nothing but `sys` is imported on its way.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMAND = "aws-iam-authenticator"
_USAGE = 2

# Each verb: the module and the function that implement it.
_VERBS = {
    "token": ("client.command", "start"),
    "kubeconfig": ("client.kubeconfig", "main"),
    "whoami": ("client.whoami", "main"),
    "doctor": ("client.doctor", "main"),
    "completion": ("client.completion", "main"),
    "version": ("authenticator.__main__", "version"),
    "mappings": ("authenticator.admin.mappings.command", "mappings"),
    "add": ("authenticator.admin.add", "add"),
    "lint": ("authenticator.admin.lint", "run"),
    "explain": ("authenticator.admin.explain.command", "explain"),
    "access": ("authenticator.admin.access.command", "access"),
    "verify": ("authenticator.admin.verify", "verify"),
    "authentication-config": (
        "authenticator.admin.authentication_config",
        "authentication_config",
    ),
    "server": ("authenticator.serving.command", "server"),
    "init": ("authenticator.serving.command", "init"),
    "rotate": ("authenticator.serving.command", "rotate"),
}
_ADMINISTRATORS = (
    ("mappings", "List, edit and restore IAM mappings."),
    ("add", "Add a role or user to aws-auth, as the reference does."),
    ("lint", "Find faults in mappings, in files and in the cluster."),
    ("explain", "Show why a caller is let in or refused, and as whom."),
    ("access", "Show who can do what, by mappings and RBAC."),
    ("verify", "Check a token as the server does, and show its identity."),
    ("authentication-config", "Render mappings for an API server without a webhook."),
)
_OPERATORS = (
    ("server", "Answer an API server's TokenReviews."),
    ("init", "Write the certificate, its key and the webhook kubeconfig."),
    ("rotate", "Replace the certificate while logins go on."),
)
# What needs which extra of the distribution (setup.cfg).
_EXTRAS = dict.fromkeys((name for name, _ in _ADMINISTRATORS), "admin") | dict.fromkeys(
    (name for name, _ in _OPERATORS), "server"
)
# What people type who come from kubectl, the AWS CLI or eksctl.
_MEANT = {
    "apply": "mappings apply",
    "delete": "mappings remove",
    "diff": "mappings diff",
    "edit": "mappings edit",
    "export": "mappings export",
    "get": "mappings get",
    "get-token": "token",
    "history": "mappings history",
    "import": "mappings import",
    "list": "mappings list",
    "login": "kubeconfig",
    "remove": "mappings remove",
    "rollback": "mappings rollback",
    "serve": "server",
    "update": "mappings update",
    "update-kubeconfig": "kubeconfig",
    "what": "access what",
    "who-can": "access who-can",
}
_LARGE = frozenset({"mappings"})
# The flags that may stand before the verb and are followed by their value.
_GLOBAL_FLAGS = frozenset(
    {
        "-c",
        "-i",
        "-l",
        "-v",
        "--cluster-id",
        "--config",
        "--feature-gates",
        "--log-format",
        "--log-verbosity",
    }
)


def main() -> int:
    """Run the command line and return its exit code."""
    verb, arguments = _split(sys.argv[1:])
    if verb == "help":
        verb, arguments = _split(arguments)
        arguments = [*arguments, "--help"]
    if verb in _LARGE:
        return _uncollected(verb, arguments)
    if verb in _VERBS:
        return _run(verb, arguments)
    if verb:
        return _complain(_unknown(verb))
    if not arguments or "--help" in arguments or "-h" in arguments:
        sys.stdout.write(f"{_help()}\n")
        return 0
    if "--version" in arguments:
        return version(["--short"])
    return _complain(_verbless(arguments))


def _split(arguments: list[str]) -> tuple[str, list[str]]:
    """Find the verb; the flags that stand before it go behind it."""
    at = 0
    while at < len(arguments) and arguments[at].startswith("-"):
        at += 2 if arguments[at] in _GLOBAL_FLAGS else 1
    if at >= len(arguments):
        return "", arguments
    return arguments[at], arguments[:at] + arguments[at + 1 :]


def _uncollected(verb: str, arguments: list[str]) -> int:
    """Run a verb that reads large documents, and ends, without the garbage collector.

    Their trees are a million objects without cycles. To look for some, at the end of the process
    too, takes longer than the verb.
    """
    import gc  # noqa: PLC0415 - not for `token`

    gc.disable()
    try:
        return _run(verb, arguments)
    finally:
        gc.freeze()
        gc.enable()


def _run(verb: str, arguments: list[str]) -> int:
    module, name = _VERBS[verb]
    try:
        code: int = getattr(__import__(module, fromlist=[name]), name)(arguments)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("authenticator", "client"):
            raise
        extra = _EXTRAS.get(verb, "server")
        _complain(
            f"{verb} needs the extra '{extra}' of kube-iam-authenticator ({error.name} is not"
            f" installed): run {_pip(extra)}"
        )
        return 1
    return code


def _pip(extra: str) -> str:
    """Return the command that installs an extra. No package index has the distribution yet."""
    from authenticator import REPOSITORY  # noqa: PLC0415 - not for `token`

    return (
        f"pip install 'kube-iam-authenticator[{extra}] @ git+{REPOSITORY}',"
        f" or pip install '.[{extra}]' in a checkout"
    )


def version(arguments: list[str]) -> int:
    """Run the verb `version`: the client shows the number, and this package has it."""
    from authenticator import __version__  # noqa: PLC0415 - not for `token`

    run = __import__("client.version", fromlist=["main"]).main
    code: int = run(arguments, __version__)
    return code


def _unknown(verb: str) -> str:
    if verb in _MEANT:
        return f"unknown verb {verb!r}; did you mean {_MEANT[verb]}? See {COMMAND} --help"
    text: str = _usage().unknown("verb", verb, list(_VERBS), COMMAND)
    return text


def _verbless(arguments: list[str]) -> str:
    """Say what is wrong with a command line of flags only."""
    at = 0
    while at < len(arguments):
        name, equals, _ = arguments[at].partition("=")
        if name not in _GLOBAL_FLAGS:
            known = [*_GLOBAL_FLAGS, "--help", "--version"]
            text: str = _usage().unknown("flag", name, known, COMMAND)
            return text
        if not equals and at + 1 == len(arguments):
            more = "; for the version, use --version" if name == "-v" else ""
            return f"{name} needs a value{more}; see {COMMAND} --help"
        at += 1 if equals else 2
    return f"name a verb after {' '.join(arguments)}; {COMMAND} --help lists the verbs"


def _complain(text: str) -> int:
    __import__("client.command", fromlist=["warn"]).warn(text)
    return _USAGE


def _usage() -> "Any":
    """Return the client's module for help, which is named as text as all of its modules are."""
    return __import__("client.usage", fromlist=["page"])


def _help() -> str:
    usage = _usage()
    page: str = usage.page(
        COMMAND,
        "VERB [flags]",
        "Log in to Kubernetes with AWS IAM.",
        [
            ("Users", usage.USERS),
            ("Administrators (extra 'admin')", _ADMINISTRATORS),
            ("Operators (extra 'server', which includes 'admin')", _OPERATORS),
            ("Flags", [("-h, --help", "Show this message."), ("--version", "Show the version.")]),
        ],
        f"{COMMAND} help VERB shows the flags of a verb. A verb whose extra is missing says how to"
        " install it.",
    )
    return page


if __name__ == "__main__":
    sys.exit(main())
