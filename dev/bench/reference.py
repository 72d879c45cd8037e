"""The Go reference that the figures are measured against, as dev/bench/go.mod pins it."""

from __future__ import annotations

from pathlib import Path

from dev import gotools

MODULE = Path(__file__).parent
_REPOSITORY = "sigs.k8s.io/aws-iam-authenticator"


def reference_binary() -> Path:
    """Return the reference's command, built if need be (92 s on 2 cores the first time).

    Raises gotools.GoBuildError.
    """
    version = gotools.module_version(MODULE, _REPOSITORY)
    return gotools.build(
        gotools.Program(
            name="aws-iam-authenticator",
            module=MODULE,
            package=f"{_REPOSITORY}/cmd/aws-iam-authenticator",
            variables=((f"{_REPOSITORY}/pkg.Version", version),),
        )
    )


if __name__ == "__main__":
    reference_binary()
