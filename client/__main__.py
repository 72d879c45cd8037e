"""``python -m client token ...``: the plugin without the rest of the distribution."""

import sys

from . import command

# The single file has these in addition to the token for kubectl.
_VERBS = ("completion", "doctor", "kubeconfig", "version", "whoami")


def run(number: str = "unversioned") -> int:
    """Run the command line and return its exit code.

    Args:
        number: the version, which the build of the single file knows.
    """
    verb, *arguments = sys.argv[1:] or ["help"]
    if verb == "help" and arguments:
        verb, *arguments = *arguments, "--help"
    if verb == "--version":
        verb, arguments = "version", ["--short"]
    if verb in _VERBS:
        main = __import__(f"client.{verb}", fromlist=["main"]).main
        code: int = main(arguments, number) if verb == "version" else main(arguments)
        return code
    if verb in {"-h", "--help", "help"}:
        sys.stdout.write(f"{_help()}\n")
        return 0
    if verb == "token" or verb.startswith("-"):  # flags may stand before the verb
        command.start([verb, *arguments], words=("token",))
    from .usage import USERS, unknown  # noqa: PLC0415 - not for `token`

    command.warn(unknown("verb", verb, [name for name, _ in USERS], command.COMMAND))
    return 2


def _help() -> str:
    from .usage import USERS, page  # noqa: PLC0415 - not for `token`

    return page(
        command.COMMAND,
        "VERB [flags]",
        "Log in to Kubernetes with AWS IAM. This is the single file, with the verbs of users.",
        [("Users", USERS)],
        f"{command.COMMAND} help VERB shows the flags of a verb.",
    )


if __name__ == "__main__":
    sys.exit(run())
