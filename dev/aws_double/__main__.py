"""Run the AWS double as a process of its own: `python -m dev.aws_double --state-dir DIR`.

It prints the environment to export, and runs until it is interrupted or terminated. The state
directory gets `ca.pem` and `credentials`, a shared credentials file with a profile for each
principal. The account of the first profiles has outbound web identity federation enabled.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
from collections.abc import Mapping
from pathlib import Path

from dev.aws_double.double import AwsDouble
from dev.aws_double.principals import (
    Principal,
    assumed_role,
    federated_user,
    root,
    sso_user,
    user,
)

_ACCOUNT = "111122223333"

# Profile names, for AWS_PROFILE.
CAST: Mapping[str, Principal] = {
    "alice": user(_ACCOUNT, "alice"),
    "bob": user(_ACCOUNT, "bob", path="team/"),
    "admin": assumed_role(_ACCOUNT, "admin", "alice"),
    "sso": sso_user(_ACCOUNT, "Developer", "carol@example.com"),
    "node": assumed_role(_ACCOUNT, "node", "i-0123456789abcdef0"),
    "federated": federated_user(_ACCOUNT, "dave"),
    "root": root(_ACCOUNT),
    "stranger": user("444455556666", "mallory"),
}


def main() -> None:
    """Run until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="python -m dev.aws_double", description="Answer as AWS STS on loopback."
    )
    parser.add_argument("--state-dir", type=Path, required=True, help="where the files go")
    directory: Path = parser.parse_args().state_dir.absolute()
    directory.mkdir(parents=True, exist_ok=True)
    credentials = directory / "credentials"
    credentials.write_text(
        "\n".join(principal.profile(name) for name, principal in CAST.items()), encoding="utf-8"
    )
    # Blocked before the double's thread starts, which inherits it: the signal waits for us.
    ending = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    with AwsDouble(CAST.values(), state_dir=directory) as aws:
        issuer = aws.federation.enable(_ACCOUNT)
        variables = {**aws.environment(), "AWS_SHARED_CREDENTIALS_FILE": os.fspath(credentials)}
        for name, value in variables.items():
            print(f"export {name}={shlex.quote(value)}")
        print(f"# Profiles: {' '.join(CAST)}")
        print(f"# Control: {aws.control_url}")
        print(f"# Issuer of JWTs: {issuer.url}", flush=True)
        signal.sigwait(ending)


if __name__ == "__main__":
    main()
