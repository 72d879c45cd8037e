"""Installing what comes from Debian's packages, with doubles of apt-get and dpkg-deb."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from dev import debian

if TYPE_CHECKING:
    from pathlib import Path

# What each program says of its version: proof that it starts, with all that it needs.
VERSIONS = {
    "buildah": "--version",
    "cargo": "--version",
    "chromedriver": "--version",
    "chromium": "--version",
    "debootstrap": "--version",
    "fish": "--version",
    "ip": "-Version",
    "javac": "-version",
    "mvn": "--version",
    "node": "--version",
    "npm": "--version",
    "promtool": "--version",
    "systemd-analyze": "--version",
    "zsh": "--version",
}

# Notes each call beside itself; "installs" by making the programs, and "downloads" a package.
APT_GET = """\
#!/bin/sh
echo "apt-get $*" >>"{here}/calls"
[ -z "{error}" ] || {{ echo "{error}" >&2; exit 100; }}
case "$*" in
*" install "*) for name in {installed}; do
    printf '#!/bin/sh\n' >"{here}/$name"; chmod +x "{here}/$name"; done ;;
*" download "*) : >prometheus.deb ;;
esac
"""
DPKG_DEB = """\
#!/bin/sh
mkdir -p "$3/usr/bin" && printf '#!/bin/sh\n' >"$3/usr/bin/promtool"
chmod +x "$3/usr/bin/promtool"
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is the whole PATH, on a machine where we are root."""
    unpacked = tmp_path / "unpacked"
    monkeypatch.setattr(debian, "_UNPACKED", unpacked)
    monkeypatch.setattr(debian, "_FURTHER_PLACES", (str(unpacked / "usr" / "bin"),))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "mkdir", "chmod"):
        (programs / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(programs))
    return programs


def put(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def with_apt(here: Path, error: str = "") -> None:
    installed = " ".join(name for name in debian.PROGRAMS if name != "promtool")
    put(here / "apt-get", APT_GET.format(here=here, error=error, installed=installed))
    put(here / "dpkg-deb", DPKG_DEB)


def test_installs_what_is_missing_and_nothing_the_second_time(here: Path) -> None:
    with_apt(here)
    debian.install()
    first = (here / "calls").read_text()
    assert "chromium chromium-driver debootstrap default-jdk-headless fish iproute2" in first
    assert debian.find("chromium") == str(here / "chromium")
    debian.install()
    assert (here / "calls").read_text() == first


def test_prometheus_is_unpacked_but_not_installed_since_that_would_start_it(here: Path) -> None:
    with_apt(here)
    debian.install()
    install = next(
        line for line in (here / "calls").read_text().splitlines() if " install " in line
    )
    assert "prometheus" not in install
    assert debian.find("promtool").endswith("unpacked/usr/bin/promtool")


def test_names_the_packages_where_they_cannot_be_installed(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_apt(here)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(debian.MissingProgramsError, match="apt-get install buildah cargo chromium"):
        debian.install()
    assert not (here / "calls").exists()


def test_shows_what_apt_get_says(here: Path) -> None:
    with_apt(here, error="E: no network")
    with pytest.raises(debian.MissingProgramsError, match="E: no network"):
        debian.install()


def test_a_program_that_is_missing_is_named_with_its_package(here: Path) -> None:
    assert not (here / "promtool").exists()
    with pytest.raises(debian.MissingProgramsError, match=r"promtool.*install prometheus"):
        debian.find("promtool")


@pytest.mark.debian
@pytest.mark.parametrize("program", debian.PROGRAMS)
def test_each_program_starts(program: str) -> None:
    command = [debian.find(program), VERSIONS[program]]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.search(r"\d+\.\d+", shown.stdout + shown.stderr)
