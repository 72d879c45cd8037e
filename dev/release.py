"""Makes dist/ of the last commit, and says what keeps it from being a release.

    python -m dev.release
    python -m dev.release --release --build-image IMAGE@sha256:... --final-image IMAGE@sha256:...

With `--release` nothing is made unless all is in order. Whether the tests pass is for CI to know.
Nothing is ever uploaded: the steps that remain are printed.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dev import audit
from dev.dist import CHECKSUMS, DistError, build, git
from dev.locked import OutdatedError

_PINNED = re.compile(r"[a-z0-9][a-z0-9.:/_-]+@sha256:[0-9a-f]{64}", re.ASCII)
_VERSION = re.compile(r'^__version__ = "([0-9.]+)"$', re.ASCII | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is about to be released: a checkout's last commit, and the images for its image."""

    root: Path
    build_image: str
    final_image: str

    def git(self, *arguments: str) -> str:
        """What git says of the checkout. Raises DistError."""
        return git(self.root, *arguments).decode().strip()

    @property
    def version(self) -> str:
        """The version that is committed."""
        found = _VERSION.search(self.git("show", "HEAD:authenticator/__init__.py"))
        if found is None:
            raise DistError("authenticator/__init__.py: no __version__")
        return found[1]


def _is_clean(candidate: Candidate) -> str:
    changed = candidate.git("status", "--porcelain")
    return f"what is not committed is not in it: {changed.splitlines()[0]} ..." if changed else ""


def _is_tagged(candidate: Candidate) -> str:
    tag = f"v{candidate.version}"
    tagged = tag in candidate.git("tag", "--points-at", "HEAD").splitlines()
    return "" if tagged else f"the commit has no tag {tag}; run: git tag --sign {tag}"


def _has_changelog(candidate: Candidate) -> str:
    version = candidate.version
    section = re.compile(rf"^## \[?{re.escape(version)}\]? - \d{{4}}-\d\d-\d\d$", re.MULTILINE)
    if section.search(candidate.git("show", "HEAD:CHANGELOG.md")):
        return ""
    return f"CHANGELOG.md has no section `## {version} - YYYY-MM-DD`"


def _has_pinned_images(candidate: Candidate) -> str:
    images = {"--build-image": candidate.build_image, "--final-image": candidate.final_image}
    loose = [flag for flag, image in images.items() if not _PINNED.fullmatch(image)]
    return f"no image by digest (NAME@sha256:...): {', '.join(loose)}" if loose else ""


def _has_repository(candidate: Candidate) -> str:
    placeholder = "https://git.example.com/"
    if placeholder not in candidate.git("show", "HEAD:setup.cfg"):
        return ""
    return f"setup.cfg and the guides have {placeholder} in place of the repository's address"


def _is_audited(_: Candidate) -> str:
    return "the dependency audit has not passed (above)" if audit.main(["--required"]) else ""


# Each says what is wrong, or nothing.
CHECKS: tuple[Callable[[Candidate], str], ...] = (
    _is_clean,
    _is_tagged,
    _has_changelog,
    _has_pinned_images,
    _has_repository,
    _is_audited,
)


def problems(candidate: Candidate) -> list[str]:
    """What keeps it from being a release. Raises DistError."""
    return [problem for check in CHECKS if (problem := check(candidate))]


def next_steps(candidate: Candidate) -> str:
    """What is left to do by hand, by somebody who may."""
    version, revision = candidate.version, candidate.git("rev-parse", "HEAD")
    return f"""\
What remains, if CI has passed for {revision}:
  sign dist/{CHECKSUMS} as you sign tags
  buildah build --format docker --manifest kube-iam-authenticator \\
    --platform linux/amd64,linux/arm64 \\
    --build-arg BUILD_IMAGE={candidate.build_image} \\
    --build-arg FINAL_IMAGE={candidate.final_image} \\
    --build-arg VERSION={version} --build-arg REVISION={revision} --build-arg SOURCE=... .
  twine upload dist/*.whl dist/*.tar.gz; publish the rest of dist with the tag v{version}"""


def main(arguments: list[str] | None = None, root: Path = Path(__file__).parents[1]) -> int:
    """Make dist/ and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.release", description="Make dist/.")
    parser.add_argument("--release", action="store_true", help="refuse what is not in order")
    parser.add_argument("--build-image", default="", help="BUILD_IMAGE, by digest")
    parser.add_argument("--final-image", default="", help="FINAL_IMAGE, by digest")
    options = parser.parse_args(arguments)
    candidate = Candidate(root, options.build_image, options.final_image)
    try:
        wrong = problems(candidate)
        for problem in wrong:
            print(f"Not a release: {problem}", file=sys.stderr)
        if wrong and options.release:
            return 1
        _replace(root / "dist", candidate)
    except (DistError, OutdatedError) as error:
        sys.exit(f"dev.release: {error}")
    if not wrong:
        print(next_steps(candidate))
    return 0


def _replace(target: Path, candidate: Candidate) -> None:
    """Make it beside the old one, which goes only when the new one is whole."""
    with tempfile.TemporaryDirectory(dir=candidate.root) as directory:
        made = Path(directory, "dist")
        made.mkdir()
        build(candidate.root, made)
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
    for file in sorted(target.iterdir()):
        print(f"dist/{file.name}")


if __name__ == "__main__":
    sys.exit(main())
