"""The Python versions that the project supports, and where they are on this machine.

python -m dev.pythons            the quick tests on the newest supported Python
python -m dev.pythons 3.10 ...   the quick tests on those
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from dev import installs
from dev.gotools import CACHE

# As the classifiers of setup.cfg name them.
SUPPORTED = ("3.10", "3.11", "3.12", "3.13")

_ENVIRONMENTS = CACHE / "pythons"
_PATCH = re.compile(r"3\.\d+\.(\d+)", re.ASCII)


class MissingPythonError(Exception):
    """A Python was not found; the message says where it was looked for."""


def find(version: str) -> Path:
    """Return the interpreter of a version such as "3.13".

    Of several patch releases that pyenv has, it is the oldest: faults of an early one are ours to
    work around. pyenv's shims on PATH fail for versions that are not selected, so its directory of
    versions is read first.

    Raises:
        MissingPythonError: there is none.
    """
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    installed = [path for path in root.glob(f"{version}.*") if _PATCH.fullmatch(path.name)]
    candidates = [path / "bin" / "python" for path in sorted(installed, key=_patch)]
    if on_path := shutil.which(f"python{version}"):
        candidates.append(Path(on_path))
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        candidates.append(Path(sys.executable))
    for candidate in candidates:
        if _runs(candidate, version):
            return candidate
    raise MissingPythonError(
        f"Python {version} not found in {root} or as python{version} on PATH; install it, for"
        f" example with: pyenv install {version}"
    )


def _patch(path: Path) -> int:
    return int(path.name.rpartition(".")[2])


def _runs(python: Path, version: str) -> bool:
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run(
            [python, "-I", "-c", program], capture_output=True, text=True, check=False
        )
    except OSError:
        return False
    return done.returncode == 0 and done.stdout.strip() == version


def environment(version: str) -> Path:
    """Return the interpreter of an environment with the locked packages and the wheel.

    Raises:
        MissingPythonError: there is no such Python.
        InstallError: a package could not be installed.
    """
    directory = _ENVIRONMENTS / version
    installs.development(directory, find(version))
    return directory / "bin" / "python"


def main() -> int:
    """Run the quick tests; return the exit code of the first that fail."""
    parser = argparse.ArgumentParser(prog="python -m dev.pythons", description=__doc__)
    parser.add_argument("version", nargs="*", metavar="VERSION", help="such as 3.13")
    for version in parser.parse_args().version or [SUPPORTED[-1]]:
        try:
            python = environment(version)
        except (MissingPythonError, installs.InstallError) as error:
            print(f"pythons: {error}", file=sys.stderr)
            return 1
        print(f"Quick tests on Python {version}", flush=True)
        command = [str(python), "-m", "pytest", "--quiet", "--quick"]
        options = ["--numprocesses=2", "--dist=loadfile", "--no-loadscope-reorder"]
        if code := subprocess.run([*command, *options], cwd=installs.ROOT, check=False).returncode:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
