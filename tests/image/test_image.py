"""The image that the Dockerfile makes: what is in it, what is not, and that its server serves."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dev.aws_double import AwsDouble
from dev.debian import MissingProgramsError
from dev.locked import locked
from dev.ports import free_port
from dev.poster import Poster
from dev.server_log import Log
from dev.waiting import PATIENCE_SECONDS, wait_until
from tests.e2e import callers
from tests.image import container, engine
from tests.image.container import Container

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.image.container import Process

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]

APP = "opt/aws-iam-authenticator"


@pytest.fixture(scope="module")
def image() -> Iterator[tuple[dict[str, Any], Path]]:
    try:
        with engine.built("1.2.3") as (config, root):
            yield config, root
    except MissingProgramsError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="module")
def config(image: tuple[dict[str, Any], Path]) -> dict[str, Any]:
    return image[0]


@pytest.fixture(scope="module")
def root(image: tuple[dict[str, Any], Path]) -> Path:
    return image[1]


@pytest.fixture(scope="module")
def site_packages(root: Path) -> Path:
    (found,) = root.glob(f"{APP}/lib/python3.*/site-packages")
    return found


@pytest.fixture(scope="module")
def prepared(
    image: tuple[dict[str, Any], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Container]:
    """The image on a prepared node, whose server is configured and does not run."""
    with AwsDouble(callers.PRINCIPALS) as aws:
        volumes = tmp_path_factory.mktemp("node")
        environment = {
            **aws.environment(),
            "AWS_CA_BUNDLE": f"{container.CONFIG}/ca.pem",
            "SSL_CERT_FILE": f"{container.CONFIG}/ca.pem",
            "KUBERNETES_AWS_AUTHENTICATOR_HEALTH_PORT": str(free_port()),
        }
        node = Container(*image, volumes, environment)
        node.make_volumes()
        (volumes / "config" / "ca.pem").write_bytes(aws.ca_bundle.read_bytes())
        settings = callers.configuration()
        settings["server"]["port"] = free_port()
        (volumes / "config" / "config.yaml").write_text(yaml.safe_dump(settings))
        yield node


@pytest.fixture(scope="module")
def server(prepared: Container) -> Iterator[Process]:
    """The server in the image."""
    process = prepared.start("server", f"--config={container.CONFIG}/config.yaml")
    log = Log()
    assert process.stdout is not None
    reader = log.follow(process.stdout)
    try:
        wait_until(lambda: process.poll() is not None or prepared.healthy(), lambda: log.tail)
        assert process.poll() is None, log.tail
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)
        reader.join()


def test_answers_a_token_review(prepared: Container, server: Process) -> None:
    keys = callers.ALICE.principal.environment()
    caller = replace(prepared, environment={**keys, "AWS_REGION": callers.REGION})
    command = [*prepared.image["Entrypoint"], "token", "-i", callers.CLUSTER_ID, "--token-only"]
    token = caller.run(command).stdout.strip()
    with Poster(prepared.volumes / "webhook" / "kubeconfig.yaml") as poster:
        user = poster.review(token).user
    assert user is not None
    assert user["username"] == callers.ALICE.username


def test_the_server_is_an_ordinary_user_and_stays_one(server: Process) -> None:
    lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines)
    assert {*status["Uid"].split(), *status["Gid"].split()} == {"10000"}
    assert status["Groups"].strip() == ""
    assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"] == "1"


def test_its_root_is_read_only(server: Process) -> None:
    lines = Path(f"/proc/{server.pid}/mountinfo").read_text().splitlines()
    # proc_pid_mountinfo(5): the fifth field is where, the sixth how.
    options = {fields[4]: fields[5].split(",") for fields in map(str.split, lines)}
    assert "ro" in options["/"]
    assert "rw" in options[container.STATE]


def test_it_can_write_its_state_and_nothing_else(prepared: Container, server: Process) -> None:
    listing = (
        "import os; print(*(d for d, _, _ in os.walk('/')"
        " if not d.startswith('/proc/') and os.access(d, os.W_OK)))"
    )
    walked = prepared.run([f"/{APP}/bin/python3", "-c", listing])
    assert set(walked.stdout.split()) == container.WRITABLE
    state = prepared.volumes / "state"
    assert {"cert.pem", "key.pem"} <= {path.name for path in state.iterdir()}


def test_the_health_check_fails_where_no_server_is(prepared: Container) -> None:
    port = {"KUBERNETES_AWS_AUTHENTICATOR_HEALTH_PORT": str(free_port())}
    assert not replace(prepared, environment=port).healthy()


def test_what_is_imported_when_it_is_needed_is_whole(prepared: Container) -> None:
    modules = (
        "import authenticator.sources.kubernetes_api, boto3, cryptography.x509, ruamel.yaml,"
        " opentelemetry.exporter.otlp.proto.http.trace_exporter; print('whole')"
    )
    assert prepared.run([f"/{APP}/bin/python3", "-c", modules]).stdout == "whole\n"


def test_says_what_it_is(config: dict[str, Any]) -> None:
    prefix = "org.opencontainers.image."
    labels = {
        name.removeprefix(prefix): value
        for name, value in config["Labels"].items()
        if name.startswith(prefix)
    }
    description = labels.pop("description")
    assert description
    assert labels == {
        "title": "kube-iam-authenticator",
        "licenses": "Apache-2.0",
        "source": "https://git.example.com/kube-iam-authenticator",
        "version": "1.2.3",
        "revision": "a-revision",
    }


def test_keeps_nothing_of_the_machine_that_built_it(config: dict[str, Any], root: Path) -> None:
    names = {variable.split("=")[0] for variable in config["Env"]}
    assert names == {"PATH", "PYTHONDONTWRITEBYTECODE"}
    assert not any((root / place).exists() for place in ("etc/pip.conf", "source", "wheels"))


def test_adds_no_shell_no_compiler_and_no_installer(root: Path, site_packages: Path) -> None:
    tools = {"sh", "bash", "dash", "busybox", "gcc", "cc", "ld", "as", "make", "pip", "pip3", "apt"}
    assert not {path.name for path in root.glob("**/bin/*")} & tools
    programs = {path.name for path in (root / APP / "bin").iterdir()}
    assert programs == {"aws-iam-authenticator", "python", "python3"}
    installers = {"pip", "setuptools", "wheel", "ensurepip"}
    assert not {path.name for path in site_packages.iterdir()} & installers


def test_the_interpreter_is_the_final_image_s(root: Path) -> None:
    assert (root / APP / "bin" / "python3").readlink().as_posix() == engine.PYTHON
    assert (root / APP / "pyvenv.cfg").read_text().startswith("home = /usr/bin\n")


def test_everything_is_compiled_and_never_compared_with_its_source(site_packages: Path) -> None:
    def is_unchecked(source: Path) -> bool:
        (compiled,) = (source.parent / "__pycache__").glob(f"{source.stem}.cpython-*.pyc")
        # PEP 552: by hash, and not to be checked.
        return compiled.read_bytes()[4:8] == (1).to_bytes(4, "little")

    packages = ("authenticator", "client", "flask", "gunicorn", "botocore", "pydantic")
    sources = [path for package in packages for path in site_packages.glob(f"{package}/**/*.py")]
    assert len(sources) > len(packages)
    assert [path for path in sources if not is_unchecked(path)] == []


def test_the_bill_of_materials_lists_what_is_installed(root: Path, site_packages: Path) -> None:
    bill = json.loads((root / "usr/share/sbom/kube-iam-authenticator.cdx.json").read_text())
    product = bill["metadata"]["component"]
    listed = {one["name"]: one["version"] for one in bill["components"]}
    installed = {
        one.name.lower().replace("_", "-").replace(".", "-"): one.version
        for one in distributions(path=[str(site_packages)])
    }
    assert {**listed, product["name"]: product["version"]} == installed
    assert listed == locked()
