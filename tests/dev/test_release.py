"""What is published: made of a commit, the same each time, and only when all is in order."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dev import audit, release
from dev.dist import CHECKSUMS, build
from dev.release import Candidate

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
DIGEST = "sha256:" + 64 * "0"
IMAGES = ("registry.example.com/python:3@" + DIGEST, "registry.example.com/distroless@" + DIGEST)


def git(root: Path, *arguments: str) -> str:
    identity = {
        f"GIT_{role}_{what}": "a@example.com"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    done = subprocess.run(
        ["git", "-C", root, *arguments],
        env=os.environ | identity,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def clone(directory: Path) -> Path:
    git(ROOT, "clone", "--quiet", "--no-tags", str(ROOT), str(directory))
    return directory


def commit(root: Path, name: str, text: str) -> None:
    (root / name).write_text(text)
    git(root, "commit", "--quiet", "--message=a change", "--", name)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of its own, where nobody else commits."""
    return clone(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def made(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is made of the last commit."""
    target = tmp_path_factory.mktemp("dist")
    build(checkout, target)
    return target


def only(directory: Path, suffix: str) -> Path:
    (found,) = directory.glob(f"*{suffix}")
    return found


def test_the_same_commit_makes_the_same_bytes(checkout: Path, made: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "another-place-and-time"
    git(ROOT, "clone", "--quiet", str(checkout), str(elsewhere))
    for path in elsewhere.rglob("*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    again = tmp_path / "dist"
    again.mkdir()
    before = os.umask(0o077)
    try:
        build(elsewhere, again)
    finally:
        os.umask(before)
    assert (again / CHECKSUMS).read_text() == (made / CHECKSUMS).read_text()


def test_the_checksums_are_of_every_file(made: Path) -> None:
    lines = (made / CHECKSUMS).read_text().splitlines()
    listed = dict(reversed(line.split("  ")) for line in lines)
    assert listed == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in made.iterdir()
        if path.name != CHECKSUMS
    }
    assert {name.rpartition(".")[2] for name in listed} == {"whl", "gz", "pyz", "json"}


def test_the_wheel_and_the_sdist_have_every_file_of_the_packages(
    checkout: Path, made: Path
) -> None:
    committed = set(
        git(checkout, "ls-tree", "-r", "--name-only", "HEAD", "authenticator", "client").split()
    )
    with zipfile.ZipFile(only(made, ".whl")) as wheel:
        assert committed <= set(wheel.namelist())
    with tarfile.open(only(made, ".tar.gz")) as sdist:
        assert committed <= {name.partition("/")[2] for name in sdist.getnames()}


def test_nothing_is_dated_but_by_the_commit(checkout: Path, made: Path) -> None:
    (epoch,) = map(int, git(checkout, "log", "-1", "--format=%ct").split())
    with tarfile.open(only(made, ".tar.gz")) as sdist:
        assert {member.mtime for member in sdist} == {epoch}


def test_the_bill_of_materials_is_of_the_product(made: Path) -> None:
    bill = json.loads(only(made, ".cdx.json").read_text())
    assert bill["metadata"]["component"]["name"] == "kube-iam-authenticator"
    assert "flask" in {component["name"] for component in bill["components"]}


@pytest.fixture
def candidate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Candidate:
    """A commit that may be released."""
    monkeypatch.setattr(audit, "main", lambda _: 0)
    root = clone(tmp_path / "checkout")
    ready = Candidate(root, *IMAGES)
    changes = (root / "CHANGELOG.md").read_text()
    section = f"## {ready.version} - 2026-01-31"
    commit(root, "CHANGELOG.md", changes.replace("## Unreleased", section, 1))
    setup = (root / "setup.cfg").read_text()
    commit(root, "setup.cfg", setup.replace("git.example.com", "git.example.org"))
    git(root, "tag", f"v{ready.version}")
    return ready


def test_a_release_says_what_remains_and_uploads_nothing(candidate: Candidate) -> None:
    assert release.problems(candidate) == []
    steps = release.next_steps(candidate)
    assert f"VERSION={candidate.version}" in steps
    assert f"FINAL_IMAGE={IMAGES[1]}" in steps


def change_a_file(root: Path) -> None:
    (root / "README.md").write_text("changed")


def add_a_file(root: Path) -> None:
    (root / "authenticator" / "new.py").touch()


def go_on(root: Path) -> None:
    commit(root, "README.md", "changed")


def forget_the_address(root: Path) -> None:
    setup = (root / "setup.cfg").read_text()
    commit(root, "setup.cfg", setup.replace("git.example.org", "git.example.com"))
    git(root, "tag", "--force", f"v{Candidate(root, '', '').version}")


def unwrite(root: Path) -> None:
    commit(root, "CHANGELOG.md", "## Unreleased\n")
    git(root, "tag", "--force", f"v{Candidate(root, '', '').version}")


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (change_a_file, "not committed"),
        (add_a_file, "not committed"),
        (go_on, "no tag v"),
        (unwrite, "no section"),
        (forget_the_address, "in place of the repository's address"),
    ],
    ids=["changed", "added", "untagged", "not-in-the-changelog", "placeholder"],
)
def test_refuses_what_is_not_in_order(
    candidate: Candidate,
    fault: Callable[[Path], None],
    problem: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fault(candidate.root)
    flags = ["--release", "--build-image", IMAGES[0], "--final-image", IMAGES[1]]
    assert release.main(flags, candidate.root) == 1
    said = capsys.readouterr().err.splitlines()
    assert [problem in line for line in said] == [True]
    assert not (candidate.root / "dist").exists()


@pytest.mark.parametrize(
    "image", ["", "python", "python:3.11", "python@sha256:0", f"python@{DIGEST}0", f" x@{DIGEST}"]
)
def test_refuses_an_image_without_a_digest(candidate: Candidate, image: str) -> None:
    (problem,) = release.problems(Candidate(candidate.root, IMAGES[0], image))
    assert problem == "no image by digest (NAME@sha256:...): --final-image"


def test_refuses_without_an_audit(candidate: Candidate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "main", lambda flags: 2 if flags == ["--required"] else 0)
    assert release.problems(candidate) == ["the dependency audit has not passed (above)"]


def test_makes_dist_of_what_is_no_release_and_says_so(
    candidate: Candidate, capsys: pytest.CaptureFixture[str]
) -> None:
    add_a_file(candidate.root)
    stale = candidate.root / "dist" / "of-an-earlier-version.whl"
    stale.parent.mkdir()
    stale.touch()
    assert release.main([], candidate.root) == 0
    said = capsys.readouterr()
    assert "Not a release: what is not committed is not in it" in said.err
    assert "What remains" not in said.out
    names = {path.name for path in stale.parent.iterdir()}
    assert {CHECKSUMS, "aws-iam-authenticator.pyz"} <= names
    assert stale.name not in names
