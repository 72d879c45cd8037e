"""The Service of the Deployment, which readiness must not empty."""

from __future__ import annotations

from pathlib import Path

import yaml

SERVICE = Path(__file__).parents[2] / "manifests" / "overlays" / "deployment" / "service.yaml"


def test_pods_that_are_not_ready_are_asked_all_the_same() -> None:
    """One section that cannot be read must stop a roll-out, and not every login."""
    assert yaml.safe_load(SERVICE.read_text("utf-8"))["spec"]["publishNotReadyAddresses"] is True
