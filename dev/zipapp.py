"""Make the plugin a single file: `python -m dev.zipapp dist/aws-iam-authenticator.pyz`.

A zip file is usually started through `runpy`, whose imports take as long as the plugin itself. This
one's first line has the interpreter import from it right away; `python3 FILE` works too, if slower.
Isolated (`-I`), it reads no PYTHON* variables and imports nothing from the working directory;
without `site` (`-S`), it starts in half the time, and finds botocore once it needs to.
"""

from __future__ import annotations

import argparse
import importlib.util
import zipfile
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1] / "client"
# The kernel adds the file's own path. `env -S` splits the line, which must stay below 127 bytes.
_FIRST_LINE = (
    b"#!/usr/bin/env -S python3 -ISc"
    b" 'import sys;sys.path[:0]=sys.argv[1:2];del sys.argv[0];import client.start'\n"
)
_MAIN = "import client.start\n"
# The same sources make the same file.
_TIME = (1980, 1, 1, 0, 0, 0)


def build(target: Path) -> None:
    """Write the file. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        file.write(_FIRST_LINE)
        # Uncompressed: zlib takes longer to load than these files to read.
        with zipfile.ZipFile(file, "w") as archive:
            _add(archive, "__main__.py", _MAIN)
            for source in sorted(_PACKAGE.glob("*.py")):
                _add(archive, f"client/{source.name}", source.read_text(encoding="utf-8"))
    target.chmod(0o755)


def _add(archive: zipfile.ZipFile, name: str, source: str) -> None:
    """Add a module, and its code compiled for this version; others compile as they go."""
    archive.writestr(zipfile.ZipInfo(name, _TIME), source)
    code = importlib.util.source_hash(source.encode())
    compiled = compile(source, name, "exec", dont_inherit=True, optimize=0)
    data = importlib._bootstrap_external._code_to_hash_pyc(compiled, code, checked=False)  # type: ignore[attr-defined] # py_compile writes files only
    archive.writestr(zipfile.ZipInfo(f"{name}c", _TIME), data)


def main() -> None:
    """Build the file that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m dev.zipapp", description=__doc__)
    parser.add_argument("target", type=Path)
    build(parser.parse_args().target)


if __name__ == "__main__":
    main()
