"""Makes what is published of a commit; from the same commit, byte for byte the same.

What is not committed is not in it. The time of everything is the commit's, and the tools are those
of dev/requirements.txt.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path
from tempfile import TemporaryDirectory

from dev import sbom
from dev.locked import installed

CHECKSUMS = "SHA256SUMS"

_SINGLE_FILE = "aws-iam-authenticator.pyz"
_BUILD = """\
import sys
from setuptools import build_meta
target = sys.argv[1]  # which they overwrite
build_meta.build_sdist(target)
build_meta.build_wheel(target)
"""


class DistError(Exception):
    """A command failed; the message holds what it said."""


def build(root: Path, target: Path) -> None:
    """Write the sdist, the wheel, the single file, their SBOM and their checksums into `target`.

    Args:
        root: a git checkout, whose HEAD is taken.
        target: an empty directory.

    Raises:
        DistError: a tool failed.
        OutdatedError: the dependencies here are not the locked ones.
    """
    # Both at once: somebody may commit meanwhile.
    commit, epoch_text = git(root, "log", "-1", "--format=%H %ct").decode().split()
    epoch = int(epoch_text)
    with TemporaryDirectory() as directory:
        source = Path(directory)
        archive = git(root, "archive", "--format=tar", commit)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(source, filter="data")
        environment = os.environ | {"SOURCE_DATE_EPOCH": str(epoch)}
        _python(source, environment, "-c", _BUILD, str(target))
        _python(source, environment, "-m", "dev.zipapp", str(target / _SINGLE_FILE))
    (sdist,) = target.glob("*.tar.gz")
    _settle(sdist, epoch)
    (wheel,) = target.glob("*.whl")
    bill = sbom.document([*distributions(path=[str(wheel)]), *installed()])
    name = sdist.name.replace(".tar.gz", ".cdx.json")
    (target / name).write_text(sbom.written(bill), "utf-8")
    (target / CHECKSUMS).write_text(_checksums(target), "utf-8")


def git(root: Path, *arguments: str) -> bytes:
    """What git says. Raises DistError."""
    return _output(["git", "-C", str(root), *arguments])


def _python(directory: Path, environment: Mapping[str, str], *arguments: str) -> None:
    _output([sys.executable, *arguments], directory, environment)


def _output(
    command: list[str], cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> bytes:
    # Files that tools make get the same modes for everybody.
    done = subprocess.run(command, cwd=cwd, env=env, umask=0o022, capture_output=True, check=False)
    if done.returncode:
        raise DistError(f"{' '.join(command[:4])}: {done.stderr.decode().strip()[-2000:]}")
    return done.stdout


def _settle(sdist: Path, epoch: int) -> None:
    """Pack it anew: setuptools takes times and owners from the files, and gzip from the clock."""
    with tarfile.open(sdist) as tar:
        members = sorted(tar.getmembers(), key=lambda member: member.name)
        contents = [tar.extractfile(member) if member.isfile() else None for member in members]
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as anew:
            for member, content in zip(members, contents, strict=True):
                member.mtime = epoch
                member.uid = member.gid = 0
                member.uname = member.gname = ""
                member.pax_headers = {}
                anew.addfile(member, content)
    sdist.write_bytes(gzip.compress(packed.getvalue(), mtime=epoch))


def _checksums(directory: Path) -> str:
    """In the form that `sha256sum --check` reads."""
    files = sorted(path for path in directory.iterdir() if path.name != CHECKSUMS)
    return "".join(
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files
    )
