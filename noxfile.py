"""The quick tests on every supported Python that is present: `.venv/bin/nox`."""

import nox

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False


@nox.session(python=["3.10", "3.11", "3.12", "3.13"])
def quick(session: nox.Session) -> None:
    """Run everything that needs no control plane, Go reference or image."""
    session.install("-c", "dev/constraints.txt", ".[server,dev,tracing]")
    session.run(
        "pytest", "-q", "-m", "not cluster and not reference and not image", *session.posargs
    )
