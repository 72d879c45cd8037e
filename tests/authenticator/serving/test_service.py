"""The service as it is put together: what settings mean for the mappings."""

from __future__ import annotations

import gc
import sys
import threading
from datetime import datetime, timezone
from pathlib import Path

import pytest

from authenticator.config import load
from authenticator.serving.admission_peers import AdmissionPeers
from authenticator.serving.certificates import rotation
from authenticator.serving.certificates.pair import Wanted
from authenticator.serving.certificates.renewal import Renewal
from authenticator.serving.logs import LogHandler
from authenticator.serving.output import Output
from authenticator.serving.service import ReviewService
from authenticator.serving.tls import LiveContext

CONFIG = """
clusterID: c
server:
  reservedPrefixConfig:
  - {backendmode: MountedFile, KEY: ["eks:"]}
  mapRoles:
  - rolearn: arn:aws:iam::111122223333:role/Dev
    username: eks:user
    groups: [eks:group]
"""

EVERY_SOURCE = """
clusterID: c
server:
  backendMode: [MountedFile, EKSConfigMap, CRD, DynamicFile]
  dynamicfilepath: /nonexistent/mappings.json
  kubeconfig: KUBECONFIG
"""
KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
"""


def build(directory: Path, document: str) -> tuple[ReviewService, LiveContext]:
    """What the main process makes before it forks the workers."""
    config = directory / "config.yaml"
    config.write_text(document)
    settings = load({"state_dir": str(directory)}, {}, config).settings
    wanted = Wanted(hostname="localhost", address="127.0.0.1")
    pair = rotation.current(directory, wanted, datetime.now(timezone.utc))
    renewal = Renewal(directory, wanted, None)
    peers = AdmissionPeers(directory)
    log = LogHandler(Output(sys.stderr.fileno()))
    service = ReviewService(settings, config, log, renewal, peers)
    return service, LiveContext(pair.certificate, pair.key, peers)


def test_no_thread_object_is_made_before_the_fork(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.13.0 cannot start it afterwards: RuntimeError: thread already started."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG)
    before = {id(thread): thread for thread in thread_objects()}

    built = build(tmp_path, EVERY_SOURCE.replace("KUBECONFIG", str(kubeconfig)))

    assert [thread for thread in thread_objects() if id(thread) not in before] == []
    del built


def thread_objects() -> list[threading.Thread]:
    gc.collect()
    return [found for found in gc.get_objects() if isinstance(found, threading.Thread)]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("usernamePrefixReserveList", "the username 'eks:user' begins with the reserved prefix"),
        ("groupPrefixReserveList", "the group 'eks:group' begins with the reserved prefix"),
    ],
)
def test_reserved_prefixes_keep_an_entry_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, reason: str
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    service, context = build(tmp_path, CONFIG.replace("KEY", key))
    service.start(lambda: context.current)
    try:
        assert reason in service.readiness().detail.decode()
    finally:
        service.stop()
