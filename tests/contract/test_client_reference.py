"""In the same surroundings, our tokens and the reference's are for the same host and caller."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

import client
from dev.bench.reference import reference_binary

pytestmark = [pytest.mark.reference, pytest.mark.timeout(600)]

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "secret"}
CREDENTIALS = "[p]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = secret\n"
CONFIG = (
    "[profile p]\nregion = eu-west-3\n[profile f]\nregion = us-west-2\nuse_fips_endpoint = true\n"
)

# Environment, flags beside the cluster's.
SURROUNDINGS: dict[str, tuple[dict[str, str], str]] = {
    "no region": (KEYS, ""),
    "AWS_REGION": ({**KEYS, "AWS_REGION": "eu-west-1"}, ""),
    "AWS_DEFAULT_REGION": ({**KEYS, "AWS_DEFAULT_REGION": "eu-west-2"}, ""),
    "both": ({**KEYS, "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, ""),
    "--region": ({**KEYS, "AWS_REGION": "eu-west-1"}, "--region eu-west-2"),
    "aws-global": ({**KEYS, "AWS_REGION": "aws-global"}, ""),
    "FIPS": ({**KEYS, "AWS_REGION": "us-west-2", "AWS_USE_FIPS_ENDPOINT": "true"}, ""),
    "FIPS, no region": ({**KEYS, "AWS_USE_FIPS_ENDPOINT": "true"}, ""),
    "FIPS, GovCloud": (
        {**KEYS, "AWS_REGION": "us-gov-west-1", "AWS_USE_FIPS_ENDPOINT": "true"},
        "",
    ),
    "FIPS in the profile": ({**KEYS, "AWS_PROFILE": "f"}, ""),
    "dual-stack": ({**KEYS, "AWS_REGION": "eu-west-1", "AWS_USE_DUALSTACK_ENDPOINT": "true"}, ""),
    "China": ({**KEYS, "AWS_REGION": "cn-north-1"}, ""),
    "environment and AWS_PROFILE": ({**KEYS, "AWS_PROFILE": "p"}, ""),
    "AWS_PROFILE": ({"AWS_PROFILE": "p"}, ""),
    "AWS_DEFAULT_PROFILE": ({"AWS_DEFAULT_PROFILE": "p"}, ""),
}


@pytest.fixture(scope="module")
def reference() -> Path:
    return reference_binary()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(CREDENTIALS)
    (tmp_path / ".aws" / "config").write_text(CONFIG)
    return tmp_path


def claim(command: list[str], flags: str, environ: dict[str, str], home: Path) -> tuple[str, ...]:
    """Return the host, the caller and what else a token says that does not change each second."""
    finished = subprocess.run(
        [*command, "token", "-i", "my-cluster", *flags.split()],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PYTHONPATH": str(Path(client.__file__).parents[1]),
            "AWS_EC2_METADATA_DISABLED": "true",
            **environ,
        },
        capture_output=True,
        check=True,
    )
    credential = json.loads(finished.stdout)
    prefix, _, encoded = credential["status"]["token"].rpartition(".")
    url = urlsplit(base64.urlsafe_b64decode(encoded + "==").decode())
    query = {name: values[0] for name, values in parse_qs(url.query, strict_parsing=True).items()}
    del query["X-Amz-Signature"], query["X-Amz-Date"]
    access_key, _date, *scope = query["X-Amz-Credential"].split("/")
    query["X-Amz-Credential"] = "/".join([access_key, *scope])
    return (
        credential["apiVersion"],
        prefix,
        url.netloc,
        url.path,
        json.dumps(sorted(query.items())),
    )


@pytest.mark.parametrize("case", SURROUNDINGS.values(), ids=SURROUNDINGS.keys())
def test_signs_for_the_same_host_and_caller(
    case: tuple[dict[str, str], str], reference: Path, home: Path
) -> None:
    environ, flags = case

    ours = claim([sys.executable, "-m", "client"], flags, environ, home)

    assert ours == claim([str(reference)], flags, environ, home)
