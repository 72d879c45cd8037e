"""The file that switches the chain while running."""

from __future__ import annotations

from pathlib import Path

import pytest

from authenticator.modes import canonical_modes
from authenticator.sources.modes import ModesFile


@pytest.mark.parametrize(
    ("names", "modes"),
    [
        (["MountedFile"], ("MountedFile",)),
        (["File", "ConfigMap"], ("MountedFile", "EKSConfigMap")),
        (["crd", "dynamicfile", "EKSConfigMap"], ("CRD", "DynamicFile", "EKSConfigMap")),
    ],
)
def test_names_old_and_new(names: list[str], modes: tuple[str, ...]) -> None:
    assert canonical_modes(names) == modes


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([], "nothing given"),
        (["Files"], "Files given where one of MountedFile"),
        (["File", "MountedFile"], "named twice"),
    ],
)
def test_names_that_make_no_chain(names: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        canonical_modes(names)


def test_the_file_is_followed_and_a_bad_one_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "modes.json"
    told: list[tuple[str, ...]] = []
    file = ModesFile(path, told.append, interval=3600)
    file.start()
    for content in (
        '{"backendMode": "EKSConfigMap DynamicFile"}',
        '{"backendMode": "EKSConfigMap Dynamic',
        '{"backendMode": "Nonsense"}',
        '{"backendMode": ["CRD"]}',
        "[]",
        "",
        '{"BACKENDMODE": "CRD, File"}',
    ):
        path.write_text(content)
        file.look()
        file.look()
    file.stop()
    assert told == [("EKSConfigMap", "DynamicFile"), ("CRD", "MountedFile")]
    # The missing file at first, and five bad ones.
    assert caplog.text.count("the sources stay as they are") == 6
