"""The service as it is put together: what settings mean for the mappings."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest

from authenticator.config import load
from authenticator.serving import rotation
from authenticator.serving.certificates import Wanted
from authenticator.serving.logs import LogHandler
from authenticator.serving.renewal import Renewal
from authenticator.serving.service import ReviewService

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
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.replace("KEY", key))
    settings = load({"state_dir": str(tmp_path)}, {}, config).settings
    wanted = Wanted(hostname="localhost", address="127.0.0.1")
    rotation.current(tmp_path, wanted, datetime.now(timezone.utc))
    renewal = Renewal(tmp_path, wanted, None)
    service = ReviewService(settings, config, LogHandler(sys.stderr.fileno()), renewal)
    service.start()
    try:
        assert reason in service.readiness().detail.decode()
    finally:
        service.stop()
