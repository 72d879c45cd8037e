"""The server on a Python that refuses every hash function that FIPS 140 does not approve."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from dev.server import COMMAND, WebhookServer, write_config
from tests.e2e import callers
from tests.e2e.callers import MAPPED, STRANGER
from tests.e2e.shims import wrapper

if TYPE_CHECKING:
    from pathlib import Path

    from dev.aws_double import AwsDouble


@pytest.mark.parametrize("name", ["md5", "blake2b", "blake2s"])
def test_the_shim_refuses_what_is_not_approved(tmp_path: Path, name: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"import hashlib\nhashlib.{name}(b'')\n")
    ran = subprocess.run(
        [*wrapper("fips"), program], capture_output=True, text=True, check=False, timeout=60
    )
    assert f"unsupported: {name}" in ran.stderr


def test_a_python_built_for_fips_lets_callers_in(tmp_path: Path, aws: AwsDouble) -> None:
    """blake2b made every valid login end with 500, and readiness did not notice."""
    config = write_config(tmp_path, callers.configuration())
    with (
        WebhookServer(config, aws.environment(), wrapper=wrapper("fips")) as server,
        server.poster() as poster,
    ):
        for caller in MAPPED.values():
            token = callers.fresh_token(caller.principal)
            for _ in ("asked", "remembered"):
                user = poster.review(token).user
                assert user is not None, server.log.tail
                assert user["username"] == caller.username
        assert poster.review(callers.fresh_token(STRANGER)).user is None
        assert poster.get("/readyz").status == 200
        assert poster.get("/metrics").status == 200


@pytest.mark.parametrize("verb", ["init", "rotate"])
def test_a_python_built_for_fips_makes_certificates(
    tmp_path: Path, aws: AwsDouble, verb: str
) -> None:
    for name in dict.fromkeys(("init", verb)):
        command = [*wrapper("fips"), COMMAND, name, "--cluster-id=a", f"--state-dir={tmp_path}"]
        ran = subprocess.run(
            command, env=aws.environment(), capture_output=True, text=True, check=False, timeout=60
        )
        assert ran.returncode == 0, ran.stderr
