"""Make the plugin a single file: `python -m dev.zipapp dist/aws-iam-authenticator.pyz`.

A zip file is usually started through `runpy`, whose imports take as long as the plugin itself. This
one's first line has the interpreter import from it right away; `python3 FILE` works too, if slower.
Isolated (`-I`), it reads no PYTHON* variables and imports nothing from the working directory;
without `site` (`-S`), it starts sooner, and finds botocore once it needs to.

What every token needs is in one piece (`setup.hot_source`), compiled for the Python that builds the
file. Other versions of Python compile the sources.
"""

from __future__ import annotations

import argparse
import importlib.util
import marshal
import zipfile
from pathlib import Path
from types import CodeType

from authenticator import __version__
from setup import hot_source

_PACKAGE = Path(__file__).resolve().parents[1] / "client"
# The kernel adds the file's own path. `env -S` splits the line, which must stay below 127 bytes.
_FIRST_LINE = (
    b"#!/usr/bin/env -S python3 -ISc"
    b""" 'import sys;f=open(sys.argv[1],"rb");f.readline();exec(f.readline())'\n"""
)
# The second line. The file is last on sys.path, since a zip has to be read whole to look into it.
_SECOND_LINE = """\
import _frozen_importlib_external as e,marshal;sys.path+=sys.argv[1:2];del sys.argv[0];\
exec(marshal.loads(f.read({size})) if e.MAGIC_NUMBER=={magic!r} else "import start")
"""
_MAIN = "import start\n"
_START = """\
import sys
from client.__main__ import run
sys.exit(run({version!r}))
"""
# The code after the second line, for the Python that built the file.
_HOT_START = """\
import gc

# The process ends in milliseconds.
gc.disable()
package = sys.modules["client"] = type(sys)("client")
package.__path__ = [sys.path[-1] + "/client"]
{hot}
if sys.argv[1:2] == ["token"]:
    start(sys.argv[2:])
{start}"""
# The same sources make the same file.
_TIME = (1980, 1, 1, 0, 0, 0)


def build(target: Path) -> None:
    """Write the file. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    sources = {f"client/{path.name}": path.read_text("utf-8") for path in _PACKAGE.glob("*.py")}
    start = _START.format(version=__version__)
    hot = _HOT_START.format(hot=hot_source(), start=start)
    code = marshal.dumps(_compile("start.py", hot))
    second = _SECOND_LINE.format(size=len(code), magic=importlib.util.MAGIC_NUMBER)
    with target.open("wb") as file:
        file.write(_FIRST_LINE + second.encode() + code)
        # Uncompressed: zlib takes longer to load than these files to read.
        with zipfile.ZipFile(file, "w") as archive:
            _add(archive, "__main__.py", _MAIN)
            _add(archive, "start.py", start)
            for name, source in sorted(sources.items()):
                _add(archive, name, source)
    target.chmod(0o755)


def _compile(name: str, source: str) -> CodeType:
    # Without docstrings, which nobody can read there.
    code: CodeType = compile(source, name, "exec", dont_inherit=True, optimize=2)
    return code


def _add(archive: zipfile.ZipFile, name: str, source: str) -> None:
    """Add a module's source, and its code for this version of Python."""
    archive.writestr(zipfile.ZipInfo(name, _TIME), source)
    # PEP 552: a pyc that is not checked against its source.
    header = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8)
    compiled = header + marshal.dumps(_compile(name, source))
    archive.writestr(zipfile.ZipInfo(f"{name}c", _TIME), compiled)


def main() -> None:
    """Build the file that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m dev.zipapp", description="Make the single file."
    )
    parser.add_argument("target", type=Path)
    build(parser.parse_args().target)


if __name__ == "__main__":
    main()
