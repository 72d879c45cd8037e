"""A server whose files others can change says so, and one in a pod does not."""

from __future__ import annotations

import json
import os
import shlex
from typing import TYPE_CHECKING

import pytest

from dev.server import WebhookServer, write_config
from tests.e2e import callers

if TYPE_CHECKING:
    from pathlib import Path

    from dev.aws_double import AwsDouble

pytestmark = pytest.mark.cluster

WORDS = "other users can"
STRANGER = 12345  # neither root nor the server


def said(server: WebhookServer) -> list[str]:
    """What /readyz lists. The log has each line once, from before the workers were forked."""
    with server.poster() as poster:
        detail = json.loads(poster.get("/readyz").body)
    found: list[str] = detail["looseFiles"]
    for line in found:
        logged = server.log.wait_for(
            lambda text, line=line: text if line in text else None, since=0
        )
        assert len(logged) == 1
    return found


def test_files_that_others_can_change_are_named_with_the_command_that_helps(
    session_aws: AwsDouble, tmp_path: Path
) -> None:
    """A world-writable config, a break-glass link to a 0666 file, a state directory of mode 0777
    and a key of another owner were used without a word."""
    document = callers.configuration()
    document["server"]["breakGlassPath"] = str(tmp_path / "break-glass.json")
    config = write_config(tmp_path, document)
    with WebhookServer(config, session_aws.environment()) as server:
        assert said(server) == []
    target = tmp_path / "target.json"
    target.write_text("{}")
    (tmp_path / "break-glass.json").symlink_to(target)
    state = tmp_path / "state"
    for path, mode in ((config, 0o666), (target, 0o666), (state, 0o777)):
        path.chmod(mode)
    os.chown(state / "key.pem", STRANGER, STRANGER)
    with WebhookServer(config, session_aws.environment()) as server:
        found = said(server)
        with server.poster() as poster:  # and yet it serves
            assert poster.review(callers.fresh_token(callers.ALICE.principal)).user
    assert len(found) == 4
    commands = {line.rpartition("run: ")[2] for line in found}
    assert commands == {
        f"chmod go-w {config}",
        f"chmod go-w {target}",
        f"chmod go-w {state}",
        f"chown {os.geteuid()} {state}/key.pem",
    }


GROUP = 10000
# As kubelet makes the volumes of overlays/deployment, and a container runtime mounts them.
POD = """
set -eu
volumes=$1/pods/0f3c-11/volumes here=$2; shift 2
config=$volumes/kubernetes.io~configmap/config state=$volumes/kubernetes.io~empty-dir/state
secret=$here/kubelet-secret
write() { # DIRECTORY MODE NAME...: kubelet's AtomicWriter
  directory=$1 mode=$2; shift 2
  mkdir "$directory/..2026_11_27.1"
  for name; do
    cp "$here/given/$name" "$directory/..2026_11_27.1/$name"
    chmod "$mode" "$directory/..2026_11_27.1/$name"
    ln -s "..data/$name" "$directory/$name"
  done
  ln -s ..2026_11_27.1 "$directory/..data"
  chgrp -R GROUP "$directory"
}
mkdir -p "$config" "$state" "$secret" "$here/etc" "$here/state"
chmod 0777 "$config"; chgrp GROUP "$state"; chmod 2777 "$state"
mount -t tmpfs tmpfs "$secret"
chmod 3777 "$secret"
write "$config" 0644 config.yaml
write "$secret" 0440 cert.pem key.pem
touch "$state/cert.pem" "$state/key.pem"
MOUNT --bind "$config" "$here/etc"; MOUNT --bind "$state" "$here/state"
for name in cert.pem key.pem; do mount --bind "$secret/..data/$name" "$here/state/$name"; done
exec setpriv --groups GROUP -- "$@"
"""


@pytest.mark.parametrize("in_a_pod", [True, False], ids=["in a pod", "on a host"])
def test_volumes_of_a_pod_are_safe_as_they_are(
    session_aws: AwsDouble, tmp_path: Path, in_a_pod: bool
) -> None:
    given = tmp_path / "given"
    given.mkdir()
    document = callers.configuration()
    config = write_config(given, document)
    (tmp_path / "state").mkdir()
    (tmp_path / "etc").mkdir()
    text = config.read_text().replace(str(given / "state"), str(tmp_path / "state"))
    config.write_text(text)
    with WebhookServer(config, session_aws.environment()):
        for name in ("cert.pem", "key.pem"):
            (given / name).write_bytes((tmp_path / "state" / name).read_bytes())
    for path in (tmp_path / "state").iterdir():
        path.unlink()
    kubelet = tmp_path / ("kubelet" if in_a_pod else "hosts-own")
    script = POD.replace("GROUP", str(GROUP)).replace("MOUNT", "mount")
    if not in_a_pod:
        script = script.replace("pods/", "directories/")
    wrapper = ["unshare", "--mount", "sh", "-c", script, "sh", str(kubelet), str(tmp_path)]
    server = WebhookServer(
        config,
        session_aws.environment(),
        arguments=("--config", str(tmp_path / "etc" / "config.yaml")),
        wrapper=wrapper,
    )
    with server:
        found = said(server)
    if in_a_pod:
        assert found == []
    else:
        assert {shlex.split(line)[-1] for line in found} == {
            str(tmp_path / "etc"),
            str(tmp_path / "state"),
        }
