"""``python -m client token ...``: the plugin without the rest of the distribution."""

import sys

from . import command

# The single file has these in addition to the token for kubectl.
_VERBS = ("completion", "doctor", "kubeconfig", "whoami")


def run(number: str = "unversioned") -> int:
    """Run the command line and return its exit code.

    Args:
        number: the version, which the build of the single file knows.
    """
    verb = sys.argv[1] if len(sys.argv) > 1 else ""
    if verb == "version":
        from .version import main  # noqa: PLC0415 - not for `token`

        return main(sys.argv[2:], number)
    if verb not in _VERBS:
        command.start(sys.argv[1:], words=("token",))
    code: int = __import__(f"client.{verb}", fromlist=["main"]).main(sys.argv[2:])
    return code


if __name__ == "__main__":
    sys.exit(run())
