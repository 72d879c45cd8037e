"""The quick tests on every supported Python that is present: `.venv/bin/nox`."""

import nox

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False


@nox.session(python=["3.10", "3.11", "3.12", "3.13"])
def quick(session: nox.Session) -> None:
    """Run every test that needs Python and its packages only."""
    session.install("--require-hashes", "--no-deps", "-r", "dev/requirements.txt")
    session.install("--no-deps", "--no-build-isolation", ".")
    session.run("pytest", "--quiet", "--quick", "--numprocesses", "2", *session.posargs)
