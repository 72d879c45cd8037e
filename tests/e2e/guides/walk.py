"""Follows a guide: runs its fenced blocks in order, each where its first word says.

`admin` and `pods` blocks are run in a checkout with kubectl as the cluster's administrator, `node`
blocks on the node. What a shell exports is there for its next block, as it is for a person. Before
each `curl`, which waits for something, and after each block the node does what it has been told.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from dev.cluster import binaries
from dev.server import COMMAND
from tests.docs import pages
from tests.e2e.guides.platform import settle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.docs.pages import Block
    from tests.e2e.guides.node import Node

GUIDE = pages.read(pages.ROOT / "docs" / "install.md")
_NODE = "cp-1"
_NOTHING: Mapping[str, Callable[[], None]] = MappingProxyType({})
# For programs that would change the machine, or that are not on it.
_PROGRAMS = {
    "sudo": 'exec "$@"',
    # To the home directory of the one node.
    "scp": """\
for last; do :; done
[ "$last" = cp-1: ] || exit 1
while [ $# -gt 1 ]; do
    case $1 in -*) ;; *) cp -r "$1" "$NODE_HOME" ;; esac
    shift
done""",
    "useradd": 'for last; do :; done; [ "$last" = aws-iam-authenticator ]',
    "systemctl": """\
case "$*" in
daemon-reload) ;;
"enable --now aws-iam-authenticator") touch "$UNITS/aws-iam-authenticator.enabled" ;;
*) exit 1 ;;
esac""",
    # kops itself is not here: the test does what it would.
    "kops": """\
case "$1 $2" in
"edit cluster" | "update cluster" | "rolling-update cluster") ;;
*) exit 1 ;;
esac""",
    # `python3 -m venv DIR`, with a pip that installs what `make install` has.
    "python3": """\
[ "$1 $2" = "-m venv" ] || exit 1
mkdir -p "$3/bin"
cat >"$3/bin/pip" <<END
#!/bin/sh
case "\\$*" in
"install kube-iam-authenticator[server] @ git+https://git.example.com/"*) ;;
*) exit 1 ;;
esac
ln -s "$COMMAND" "$3/bin/"
END
chmod 755 "$3/bin/pip\"""",
}


def blocks(section: str) -> list[Block]:
    """The blocks of a section of docs/install.md that are to be run."""
    found = [one for one in GUIDE.blocks if one.sections[-1] == section and one.words]
    assert found, f"docs/install.md has no section {section!r} with commands"
    return found


class Walk:
    """Somebody who follows the guide.

    Args:
        node: the node that it is about.
        directory: where they work; the checkout's manifests are put there.
        environment: AWS, and their own credentials.
    """

    def __init__(self, node: Node, directory: Path, environment: Mapping[str, str]) -> None:
        self.node = node
        self.checkout = directory / "checkout"
        programs = directory / "bin"
        for made in (self.checkout, programs):
            made.mkdir()
        self._copy_manifests()
        self._make_programs(programs)
        kubeconfig = self.checkout / "admin.kubeconfig"
        kubeconfig.write_bytes(node.plane.admin_kubeconfig.read_bytes())
        path = {"PATH": f"{programs}:{os.environ['PATH']}", "COMMAND": str(COMMAND)}
        path |= {"UNITS": node.here("/etc/systemd/system"), "NODE_HOME": str(node.home)}
        self._places = {
            "admin": (
                self.checkout,
                {
                    **environment,
                    **node.settings,
                    **path,
                    "HOME": str(self.checkout),
                    "KUBECONFIG": str(kubeconfig),
                },
            ),
            "node": (node.home, {**path, "HOME": str(node.home)}),
        }
        self._places["pods"] = self._places["admin"]

    def follow(self, section: str, before: Mapping[str, Callable[[], None]] = _NOTHING) -> str:
        """Run a section's blocks; return what the last one prints.

        `before` has what the prose asks for, by words of the block that comes after it.
        """
        printed, steps = "", dict(before)
        for block in blocks(section):
            for words in [words for words in steps if words in block.text]:
                steps.pop(words)()
            printed = self.run(block)
        assert not steps, f"no block of {section} has {steps.keys()}"
        return printed

    def run(self, block: Block) -> str:
        """Run a block and have the node do what is then to be done; return what it prints."""
        printed = ""
        for part in _parts(block.text):
            self.settle()
            printed += self.shell(block.words[0], part, str(block))
        self.settle()
        return printed

    def settle(self) -> None:
        """Have the node do what is to be done now."""
        settle(self.node)

    def shell(self, place: str, text: str, name: str) -> str:
        """Run commands of the guide's at a place; return what they print."""
        directory, environment = self._places[place]
        kept = directory / ".exported"
        kept.touch()
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f". {kept}\n{self._here(text)}\nexport -p >{kept}"],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{name}, on {place}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def _here(self, text: str) -> str:
        return self.node.here(text).replace('NODES="cp-1 cp-2 cp-3"', f'NODES="{_NODE}"')

    def _copy_manifests(self) -> None:
        """Copy the manifests, with the node's paths and ports in them."""
        manifests = self.checkout / "manifests"
        shutil.copytree(pages.ROOT / "manifests", manifests)
        for path in manifests.rglob("*"):
            if path.is_file():
                path.write_text(self.node.here(path.read_text()))

    def _make_programs(self, directory: Path) -> None:
        for name, target in (("kubectl", binaries.find().kubectl), (COMMAND.name, COMMAND)):
            (directory / name).symlink_to(target)
        texts = {name: f"#!/bin/sh\n{text}\n" for name, text in _PROGRAMS.items()}
        for name, text in {**texts, "kubeadm": self.node.kubeadm()}.items():
            (directory / name).write_text(text)
            (directory / name).chmod(0o755)


def _parts(text: str) -> list[str]:
    """Cut before each line that begins with curl."""
    parts = [""]
    for line in text.splitlines(keepends=True):
        if line.startswith("curl ") and parts[-1]:
            parts.append("")
        parts[-1] += line
    return parts
