"""Files that decide, and that other users could change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from authenticator.serving.file_trust import (
    DecidingFile,
    FileTrust,
    Viewer,
    deciding_files,
    loose,
    pod_volumes,
)
from authenticator.settings import Settings

ME = Viewer(os.geteuid(), frozenset({os.getegid()}))
STRANGER = 12345


def lines(path: Path, viewer: Viewer = ME, *, private: bool = False) -> list[str]:
    """What is said of one file, below the test's own directory."""
    return list(loose([DecidingFile("config file", path, private)], viewer))


def made(path: Path, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    path.chmod(mode)
    return path


def owned_by_a_stranger(path: Path) -> Viewer:
    """Have a file belong to someone who is neither root nor the viewer."""
    if os.geteuid():
        return Viewer(STRANGER, frozenset())
    os.chown(path, STRANGER, STRANGER, follow_symlinks=False)
    return ME


def test_a_file_that_only_its_owner_can_change_is_safe(tmp_path: Path) -> None:
    for mode in (0o600, 0o644, 0o755, 0o440):
        assert lines(made(tmp_path / "config.yaml", mode)) == []


@pytest.mark.parametrize("mode", [0o666, 0o660, 0o602, 0o777])
def test_a_file_that_others_can_change_is_named_with_its_cure(tmp_path: Path, mode: int) -> None:
    path = made(tmp_path / "a config.yaml", mode)
    assert lines(path) == [
        f"config file {path}: other users can change it (mode {mode:04o}); run: chmod go-w '{path}'"
    ]


def test_a_file_of_another_user_is_named(tmp_path: Path) -> None:
    path = made(tmp_path / "key.pem")
    (line,) = [line for line in lines(path, owned_by_a_stranger(path)) if line.endswith(str(path))]
    assert "it belongs to user" in line
    assert f"run: chown root {path}" in line


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_directory_on_the_way_that_others_can_change_is_named(tmp_path: Path, mode: int) -> None:
    path = made(tmp_path / "a" / "b" / "config.yaml")
    (tmp_path / "a").chmod(mode)
    (line,) = lines(path)
    assert f"{tmp_path}/a: other users can change it (mode {mode:04o})" in line
    assert line.endswith(f"; run: chmod go-w {tmp_path}/a")


def test_a_directory_is_said_once_of_all_files_in_it(tmp_path: Path) -> None:
    files = [made(tmp_path / "state" / name) for name in ("cert.pem", "key.pem")]
    (tmp_path / "state").chmod(0o777)
    assert len(loose([DecidingFile("state", file) for file in files], ME)) == 1


def test_a_link_is_followed_to_what_it_names(tmp_path: Path) -> None:
    """A break-glass link to a file of mode 0666 was used without a word."""
    target = made(tmp_path / "elsewhere" / "open.json", 0o666)
    link = tmp_path / "break-glass.json"
    for to in (target, Path("elsewhere/open.json"), Path("elsewhere/../elsewhere/open.json")):
        link.unlink(missing_ok=True)
        link.symlink_to(to)
        (line,) = lines(link)
        assert f"{target}: other users can change it" in line


def test_a_directory_that_holds_the_target_of_a_link_counts(tmp_path: Path) -> None:
    target = made(tmp_path / "elsewhere" / "file")
    (tmp_path / "elsewhere").chmod(0o777)
    link = tmp_path / "link"
    link.symlink_to(target)
    assert len(lines(link)) == 1


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert lines(tmp_path / "a") == []


def test_in_a_sticky_directory_a_file_cannot_be_replaced_but_made(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    path = made(shared / "config.yaml")
    shared.chmod(0o1777)
    assert lines(path) == []
    missing = lines(shared / "break-glass.json")
    assert f"run: chmod go-w {shared}" in missing[0]
    viewer = owned_by_a_stranger(path)
    assert any("belongs to user" in line for line in lines(path, viewer))


def test_what_does_not_exist_is_not_complained_of(tmp_path: Path) -> None:
    assert lines(tmp_path / "missing" / "break-glass.json") == []


@pytest.mark.parametrize(("mode", "safe"), [(0o600, True), (0o400, True), (0o604, False)])
def test_a_key_is_for_its_owner(tmp_path: Path, mode: int, safe: bool) -> None:
    found = lines(made(tmp_path / "key.pem", mode), private=True)
    assert found == [] if safe else "other users can read it" in found[0]


def test_a_key_may_be_read_by_a_group_of_the_server(tmp_path: Path) -> None:
    path = made(tmp_path / "key.pem", 0o440)
    assert lines(path, Viewer(ME.uid, frozenset({path.stat().st_gid})), private=True) == []
    assert len(lines(path, Viewer(ME.uid, frozenset({STRANGER})), private=True)) == 1


# Volumes of a pod, as kubelet makes them.


def config_map(directory: Path) -> Path:
    """A ConfigMap volume: kubelet's AtomicWriter, in a directory of mode 0777."""
    made(directory / "..2026_11_27_20_00_00.1" / "config.yaml", 0o644)
    (directory / "..data").symlink_to("..2026_11_27_20_00_00.1")
    (directory / "config.yaml").symlink_to("..data/config.yaml")
    directory.chmod(0o777)
    return directory / "config.yaml"


def mountinfo(root: str, point: Path) -> str:
    escaped = str(point).replace(" ", "\\040")
    return f"812 790 254:1 {root} {escaped} ro,relatime - ext4 /dev/vda1 rw\n"


KUBELET = "/var/lib/kubelet/pods/0f3c-11/volumes/kubernetes.io~configmap/config"


@pytest.mark.parametrize("root", [KUBELET, KUBELET.removeprefix("/var/lib/kubelet")])
def test_a_config_map_in_a_pod_is_safe(tmp_path: Path, root: str) -> None:
    path = config_map(tmp_path / "a volume")
    volumes = frozenset(pod_volumes(mountinfo(root, path.parent)))
    assert lines(path, Viewer(ME.uid, ME.gids, volumes)) == []


@pytest.mark.parametrize("root", ["/etc/aws-iam-authenticator", f"{KUBELET}/sub", "/"])
def test_the_same_directory_of_the_host_is_not(tmp_path: Path, root: str) -> None:
    path = config_map(tmp_path / "a volume")
    volumes = frozenset(pod_volumes(mountinfo(root, path.parent)))
    assert len(lines(path, Viewer(ME.uid, ME.gids, volumes))) == 1


def test_a_secret_in_a_pod_is_safe(tmp_path: Path) -> None:
    """A tmpfs of mode 1777, with the group of the pod's fsGroup."""
    path = config_map(tmp_path / "secret")
    path.resolve().chmod(0o440)
    path.parent.chmod(0o3777)
    assert lines(path, private=True) == []


@pytest.mark.parametrize("text", ["", "\n", "1 2", "a b c d e f", "1 2 3 \\0 \\777 x"])
def test_any_text_of_mountinfo_is_read(text: str) -> None:
    assert list(pod_volumes(text)) == []


# What is looked at.


def test_every_file_that_decides_is_looked_at(tmp_path: Path) -> None:
    names = ("config", "glass", "dynamic", "modes", "kubeconfig", "clients", "secret", "ca", "hook")
    files = {name: made(tmp_path / name, 0o666) for name in names}
    state = tmp_path / "state"
    for name in ("key.pem", "cert.pem", "next-key.pem", "last-good.json"):
        made(state / name, 0o666)
    settings = Settings(
        cluster_id="c",
        state_dir=state,
        break_glass_path=str(files["glass"]),
        dynamic_file_path=str(files["dynamic"]),
        dynamic_backend_mode_path=str(files["modes"]),
        kubeconfig=str(files["kubeconfig"]),
        admission_client_file=str(files["clients"]),
        admission_secret_file=str(files["secret"]),
        generate_kubeconfig=files["hook"],
    )
    found = deciding_files(settings, files["config"], {"AWS_CA_BUNDLE": str(files["ca"])})
    said = " ".join(loose(found, ME))
    for path in (*files.values(), *state.iterdir()):
        assert f"chmod go-w {path}" in said


def test_a_line_is_logged_once_and_again_when_it_comes_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = made(tmp_path / "config.yaml", 0o666)
    settings = Settings(
        cluster_id="c", state_dir=tmp_path / "state", generate_kubeconfig=tmp_path / "hook"
    )
    trust = FileTrust(settings, config)
    trust.look()
    assert len(caplog.messages) == len(trust.loose) == 1
    config.chmod(0o600)
    trust.look()
    assert trust.loose == ()
    config.chmod(0o666)
    trust.look()
    assert len(caplog.messages) == 2
