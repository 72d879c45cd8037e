"""``python -m client token ...``: the plugin without the rest of the distribution."""

import sys

from . import command

# The single file has these in addition to the token for kubectl.
_VERBS = ("completion", "doctor", "kubeconfig", "whoami")
_HELP = """\
Usage: aws-iam-authenticator VERB [flags]

  token       Print a token that logs you in (kubectl runs this)
  kubeconfig  Add a cluster to a kubeconfig, or update it
  whoami      Show the AWS identity that a token would carry
  doctor      Check what a login needs, each fault with a remedy
  completion  Complete verbs and flags in bash, zsh or fish
  version     Show the version

aws-iam-authenticator VERB --help shows a verb's flags.
"""


def run(number: str = "unversioned") -> int:
    """Run the command line and return its exit code.

    Args:
        number: the version, which the build of the single file knows.
    """
    verb = sys.argv[1] if len(sys.argv) > 1 else ""
    if verb in {"-h", "--help", "help"}:
        sys.stdout.write(_HELP)
        return 0
    if verb == "version":
        from .version import main  # noqa: PLC0415 - not for `token`

        return main(sys.argv[2:], number)
    if verb not in _VERBS:
        command.start(sys.argv[1:], words=("token",))
    code: int = __import__(f"client.{verb}", fromlist=["main"]).main(sys.argv[2:])
    return code


if __name__ == "__main__":
    sys.exit(run())
