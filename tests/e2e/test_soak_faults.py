"""Half a minute of faults under load; `make soak` takes ten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e import soaking

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

_SECONDS, _SEED = 28.0, 17
_KINDS = 7


def test_faults_that_come_and_go_deny_no_valid_login_and_leave_nothing_behind(
    tmp_path: Path,
) -> None:
    run, grown = soaking.soak(tmp_path, _SECONDS, _SEED)
    assert not run.violations, run.report()
    assert not grown, grown
    assert len({spell.fault.name for spell in run.spells}) >= _KINDS, run.report()
