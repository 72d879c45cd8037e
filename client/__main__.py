"""``python -m client token ...``: the plugin without the rest of the distribution."""

import sys

from . import command

# What the single file has for people, beside the token for kubectl.
_VERBS = ("completion", "doctor", "kubeconfig", "whoami")


def run() -> int:
    """Run the command line and return its exit code."""
    verb = sys.argv[1] if len(sys.argv) > 1 else ""
    if verb not in _VERBS:
        command.start(sys.argv[1:], words=("token",))
    code: int = __import__(f"client.{verb}", fromlist=["main"]).main(sys.argv[2:])
    return code


if __name__ == "__main__":
    sys.exit(run())
