"""`aws-iam-authenticator VERB`: picks the verb and imports only what that verb needs.

`token` runs at every kubectl command, so that nothing but `sys` is imported on its way.
"""

import sys

COMMAND = "aws-iam-authenticator"

# Each verb: where it is implemented, and what it does.
_VERBS = {
    "token": ("client.command", "start", "Print a token that logs you in (kubectl runs this)"),
    "kubeconfig": (
        "client.kubeconfig",
        "main",
        "Have kubectl log in to a cluster with this command",
    ),
    "whoami": ("client.whoami", "main", "Show the AWS identity that a token would carry"),
    "doctor": ("client.doctor", "main", "Check what a login needs, each with a remedy"),
    "completion": ("client.completion", "main", "Complete verbs and flags in bash, zsh or fish"),
    "server": ("authenticator.serving.command", "server", "Answer an API server's TokenReviews"),
    "init": (
        "authenticator.serving.command",
        "init",
        "Write the certificate, its key and the webhook kubeconfig beforehand",
    ),
    "rotate": (
        "authenticator.serving.command",
        "rotate",
        "Replace the certificate without refusing anybody",
    ),
    "verify": ("authenticator.admin.verify", "verify", "Check a token and show whose it is"),
    "explain": (
        "authenticator.admin.explain.command",
        "explain",
        "Show why a caller is let in or refused, and as whom",
    ),
    "mappings": (
        "authenticator.admin.mappings.command",
        "mappings",
        "List, edit and restore who may enter",
    ),
    "add": ("authenticator.admin.add", "add", "Add a role or user to aws-auth"),
    "lint": ("authenticator.admin.lint", "run", "Find what is wrong with mappings"),
    "access": (
        "authenticator.admin.access.command",
        "access",
        "Show who can do what, by mappings and RBAC",
    ),
    "version": ("authenticator.__main__", "version", "Show the version"),
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
    if verb in _LARGE:
        return _uncollected(verb, arguments)
    if verb in _VERBS:
        return _run(verb, arguments)
    if verb and verb != "help":
        sys.stderr.write(f"{COMMAND}: unknown verb {verb!a}; {COMMAND} --help lists the verbs\n")
        return 1
    sys.stdout.write(_help())
    return 0


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
    module, name, _ = _VERBS[verb]
    try:
        run = getattr(__import__(module, fromlist=[name]), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("authenticator", "client"):
            raise
        sys.stderr.write(
            f"{COMMAND}: {verb} needs the Python package {error.name}; install the extra 'server'"
            " of kube-iam-authenticator: pip install '.[server]' in a checkout\n"
        )
        return 1
    code: int = run(arguments)
    return code


def version(arguments: list[str]) -> int:
    """Run the verb `version`: the client shows the number, and this package has it."""
    from authenticator import __version__  # noqa: PLC0415 - not for `token`

    run = __import__("client.version", fromlist=["main"]).main
    code: int = run(arguments, __version__)
    return code


def _help() -> str:
    lines = [f"Usage: {COMMAND} VERB [flags]", ""]
    lines += [f"  {verb:<10} {text}" for verb, (_, _, text) in _VERBS.items()]
    return "\n".join([*lines, "", f"{COMMAND} VERB --help shows a verb's flags.", ""])


if __name__ == "__main__":
    sys.exit(main())
