"""The systemd unit: what systemd itself says of it, and the server under its restrictions.

No systemd runs here. `shims/unit.py` restricts the command as the unit tells systemd to.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from dev import debian
from dev.cluster.process import Process
from dev.ports import free_port
from dev.poster import Poster
from dev.waiting import wait_until
from tests.e2e import callers
from tests.e2e.callers import ALICE
from tests.e2e.manifests import ROOT
from tests.e2e.shims import wrapper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.aws_double import AwsDouble

pytestmark = pytest.mark.debian

UNIT = ROOT / "systemd" / "aws-iam-authenticator.service"
VENV = Path(sys.prefix)
_INSTALLED = "/opt/kube-iam-authenticator"
_PYTHON = "/opt/python"
# systemd's scale of 0 to 10, times 10.
_MOST_EXPOSED = 13


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [debian.find("systemd-analyze"), "--no-pager", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def runnable(tmp_path: Path) -> Path:
    """The unit with a program that is here: systemd looks for it."""
    path = tmp_path / UNIT.name
    path.write_text(
        UNIT.read_text().replace(f"{_INSTALLED}/bin/aws-iam-authenticator", "/bin/true")
    )
    return path


def test_systemd_finds_nothing_wrong(runnable: Path) -> None:
    done = analyze("verify", "--man=no", runnable)
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_says_that_it_is_hardened(runnable: Path) -> None:
    done = analyze("security", "--offline=true", f"--threshold={_MOST_EXPOSED}", runnable)
    assert done.returncode == 0, done.stdout


def test_it_is_started_again_for_ever_and_no_log_line_is_dropped() -> None:
    """Five starts that failed within 3 s left the unit dead; journald dropped lines of a burst."""
    lines = UNIT.read_text().splitlines()
    assert "StartLimitIntervalSec=0" in lines[: lines.index("[Service]")]
    assert "LogRateLimitIntervalSec=0" in lines[lines.index("[Service]") :]


class Restricted:
    """A directory that a restricted process sees at /mnt."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.chmod(0o755)
        for path in ("var/aws-iam-authenticator", "etc/kubernetes/aws-iam-authenticator"):
            (directory / path).mkdir(parents=True)
            os.chown(directory / path, 10000, 10000)
        binds = {sys.base_prefix: _PYTHON, VENV: _INSTALLED, directory: "/mnt"}
        places = ":".join(f"{source}={place}" for source, place in binds.items())
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        self.python = f"{_PYTHON}/bin/{version}"
        # A Python that was built with --enable-shared has the path of its library in it.
        self.libraries = {"LD_LIBRARY_PATH": f"{_PYTHON}/lib"}
        self.packages = f"{_INSTALLED}/lib/{version}/site-packages"
        self.command = [*wrapper("unit"), str(UNIT), places]

    def run(self, program: str) -> str:
        """What a Python program prints, whose error is `refused`."""
        text = f"try:\n    {program}\nexcept OSError as error:\n    print('refused', error.errno)\n"
        done = subprocess.run(
            [*self.command, self.python, "-c", text],
            env={"PATH": os.environ["PATH"], **self.libraries},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def restricted() -> Iterator[Restricted]:
    # Not below /tmp, which the process has one of its own of.
    with tempfile.TemporaryDirectory(dir=VENV.parent) as directory:
        yield Restricted(Path(directory))


_PROBES = {
    "the file system": "open('/mnt/new', 'w')",
    "its own program": f"open('{_INSTALLED}/new', 'w')",
    "the home of root": "import os; os.listdir('/root')",
    "kernel tunables": "open('/proc/sys/kernel/hostname')",
    "a namespace": "import ctypes, os; l = ctypes.CDLL(None, use_errno=True);"
    " l.unshare(0x40000000) and (_ for _ in ()).throw(OSError(ctypes.get_errno(), ''))",
    "memory to write and execute": "import mmap; mmap.mmap(-1, 4096, prot=7)",
    "a raw network interface": "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "the log of the kernel": "open('/dev/kmsg')",
    "another user's identity": "import os; os.setuid(0)",
    "a file that runs as its owner": "import os; p = '/mnt/var/aws-iam-authenticator/x';"
    " open(p, 'w'); os.chmod(p, 0o4755)",
    "more open files than it may have": "h = [open('/dev/null') for _ in range(9000)]",
}


@pytest.mark.parametrize("what", _PROBES)
def test_the_restrictions_are_in_force(restricted: Restricted, what: str) -> None:
    assert restricted.run(_PROBES[what]).startswith("refused")


def test_the_restrictions_leave_what_the_server_needs(restricted: Restricted) -> None:
    writes = "open('/mnt/var/aws-iam-authenticator/x', 'w').write('x'); print('done')"
    assert restricted.run(writes) == "done"
    assert restricted.run("import os; print(os.getuid(), os.getgid())") == "10000 10000"
    status = restricted.run("print(open('/proc/self/status').read())")
    for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"):
        assert line in status
    assert "Seccomp:\t2" in status


def test_the_command_serves_under_the_restrictions_of_its_unit(
    restricted: Restricted, aws: AwsDouble
) -> None:
    directory = restricted.directory
    configuration = callers.configuration()
    configuration["server"] |= {"port": free_port(), "healthPort": free_port()}
    (directory / "etc/aws-iam-authenticator").mkdir()
    config = directory / "etc/aws-iam-authenticator/config.yaml"
    config.write_text(yaml.safe_dump(configuration))
    shutil.copy(aws.ca_bundle, directory / "ca.pem")
    (directory / "ca.pem").chmod(0o644)
    kubeconfig = directory / "etc/kubernetes/aws-iam-authenticator/kubeconfig.yaml"
    prefix = "KUBERNETES_AWS_AUTHENTICATOR_"
    variables = {
        **aws.environment(),
        "AWS_CA_BUNDLE": "/mnt/ca.pem",
        "SSL_CERT_FILE": "/mnt/ca.pem",
        "PATH": os.environ["PATH"],
        # An installed environment finds its packages by its interpreter, which is another here.
        "PYTHONPATH": restricted.packages,
        **restricted.libraries,
        f"{prefix}STATE_DIR": "/mnt/var/aws-iam-authenticator",
        f"{prefix}GENERATE_KUBECONFIG": "/mnt/etc/kubernetes/aws-iam-authenticator/kubeconfig.yaml",
    }
    (start,) = (line for line in UNIT.read_text().splitlines() if line.startswith("ExecStart="))
    arguments = start.removeprefix("ExecStart=").replace("=/etc/", "=/mnt/etc/").split()
    pairs = [f"{name}={value}" for name, value in variables.items()]
    log = directory / "log"
    command = ["env", "-i", *pairs, *restricted.command, restricted.python, *arguments]
    server = Process(command, log=log)

    def granted() -> bool:
        try:
            with Poster(kubeconfig) as poster:
                ready = poster.get("/readyz").status == 200
                token = callers.fresh_token(ALICE.principal)
                return ready and poster.review(token).user is not None
        except (OSError, AssertionError):
            return False

    server.start(granted)
    try:
        # The reload of the unit: new workers are made of the restricted process.
        os.kill(server.pid, signal.SIGHUP)
        wait_until(lambda: log.read_text().count("MountedFile has been read") >= 4, log.read_text)
        assert granted()
        assert "Traceback" not in log.read_text()
    finally:
        server.stop()
