"""Other languages' client programs, which run the plugin: `python -m dev.clients` builds them.

Each is a few lines that read a kubeconfig, log in, and print who the cluster takes them for. Their
libraries come from Maven Central, the npm registry and crates.io, at versions pinned here.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dev import debian
from dev.gotools import CACHE

_HERE = Path(__file__).parent
_BUILT = CACHE / "clients"


class ClientsError(Exception):
    """A client program cannot be built; the message says what failed."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client program.

    Attributes:
        name: what to call it.
        folder: where its sources are, below this one, and what is built, below `.cache/clients`.
        build: builds into a directory.
        command: its command line, given that directory; the kubeconfig's path goes behind it.
    """

    name: str
    folder: str
    build: Callable[[Path], None]
    command: Callable[[Path], list[str]]

    def argv(self, kubeconfig: Path) -> list[str]:
        """Return the command line that prints the username for a kubeconfig."""
        return [*self.command(_BUILT / self.folder), str(kubeconfig)]


def _java(target: Path) -> None:
    source = _HERE / "java"
    maven = [debian.find("mvn"), "-q", "-B", "-f", str(source / "pom.xml")]
    _run([*maven, "dependency:copy-dependencies", f"-DoutputDirectory={target / 'lib'}"])
    files = sorted(str(path) for path in source.glob("*.java"))
    javac = [debian.find("javac"), "--release", "17", "-cp", f"{target}/lib/*"]
    _run([*javac, "-d", str(target / "classes"), *files])


def _javascript(target: Path) -> None:
    for file in (_HERE / "javascript").iterdir():
        shutil.copy(file, target)
    _run([debian.find("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=target)


def _rust(target: Path) -> None:
    manifest = str(_HERE / "rust" / "Cargo.toml")
    cargo = [debian.find("cargo"), "build", "--quiet", "--locked", "--manifest-path", manifest]
    _run([*cargo, "--target-dir", str(target)])


def _java_command(program: str) -> Callable[[Path], list[str]]:
    return lambda built: ["java", "-cp", f"{built}/classes:{built}/lib/*", program]


CLIENTS = (
    Client("client-java", "java", _java, _java_command("Official")),
    Client("fabric8", "java", _java, _java_command("Fabric8")),
    Client(
        "client-node",
        "javascript",
        _javascript,
        lambda built: ["node", str(built / "whoami.js")],
    ),
    Client("kube-rs", "rust", _rust, lambda built: [str(built / "debug" / "whoami")]),
)


def build() -> None:
    """Build what is not built from its sources as they are now.

    Raises:
        ClientsError: a build failed.
        dev.debian.MissingProgramsError: a compiler is missing.
    """
    for client in {client.folder: client for client in CLIENTS}.values():
        target = _BUILT / client.folder
        stamp = _BUILT / f"{client.folder}.stamp"
        key = _key(client.folder)
        if stamp.exists() and stamp.read_text() == key:
            continue
        print(f"building the {client.folder} clients (once; a minute or two)", flush=True)
        started = time.monotonic()
        target.mkdir(parents=True, exist_ok=True)
        client.build(target)
        stamp.write_text(key)
        print(f"built them in {time.monotonic() - started:.0f} s", flush=True)


def is_built(client: Client) -> bool:
    """Tell whether a client is built from its sources as they are now."""
    stamp = _BUILT / f"{client.folder}.stamp"
    return stamp.exists() and stamp.read_text() == _key(client.folder)


def _key(folder: str) -> str:
    digest = hashlib.sha256()
    for path in sorted((_HERE / folder).rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(_HERE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _run(command: list[str], cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        raise ClientsError(f"{' '.join(command[:6])} failed:\n{tail}")


def main() -> None:
    """Build all clients; end with a message where that fails."""
    try:
        build()
    except (ClientsError, debian.MissingProgramsError) as error:
        sys.exit(f"dev.clients: {error}")
