"""Make the plugin a single file: `python -m dev.zipapp dist/aws-iam-authenticator.pyz`.

A zip file is usually started through `runpy`, whose imports take as long as the plugin itself. This
one's first line has the interpreter import from it right away; `python3 FILE` works too, if slower.
Isolated (`-I`), it reads no PYTHON* variables and imports nothing from the working directory;
without `site` (`-S`), it starts sooner, and finds botocore once it needs to.

What every token needs is in one piece, compiled for the Python that builds the file: to look for
eleven modules takes longer than to run them. Other versions of Python compile the sources.
"""

from __future__ import annotations

import argparse
import importlib.util
import marshal
import zipfile
from pathlib import Path
from types import CodeType

_PACKAGE = Path(__file__).resolve().parents[1] / "client"
# The kernel adds the file's own path. `env -S` splits the line, which must stay below 127 bytes.
_FIRST_LINE = (
    b"#!/usr/bin/env -S python3 -ISc"
    b" 'import sys;sys.path[:0]=sys.argv[1:2];del sys.argv[0];import start'\n"
)
# What a token from ready credentials loads.
HOT = (
    *("client", "client.__main__", "client.cluster", "client.command", "client.credentials"),
    *("client.endpoints", "client.errors", "client.exec_credential", "client.profiles"),
    *("client.sigv4", "client.token"),
)
_MAIN = "import start\n"
_START = """\
import sys
from client.__main__ import run
sys.exit(run())
"""
_HOT_START = """\
import sys
from _frozen_importlib import ModuleSpec
from marshal import loads


class Hot:
    codes = loads({data!r})

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name not in cls.codes:
            return None
        spec = ModuleSpec(name, cls, is_package=name == "client")
        if name == "client":
            spec.submodule_search_locations.append(sys.path[0] + "/client")
        return spec

    @staticmethod
    def create_module(spec):
        return None

    @classmethod
    def exec_module(cls, module):
        exec(cls.codes[module.__name__], module.__dict__)


sys.meta_path.insert(0, Hot)
"""
# The same sources make the same file.
_TIME = (1980, 1, 1, 0, 0, 0)


def build(target: Path) -> None:
    """Write the file. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    sources = {f"client/{path.name}": path.read_text("utf-8") for path in _PACKAGE.glob("*.py")}
    hot = {name: _compile(_file(name), sources[_file(name)]) for name in HOT}
    start = _HOT_START.format(data=marshal.dumps(hot)) + _START
    with target.open("wb") as file:
        file.write(_FIRST_LINE)
        # Uncompressed: zlib takes longer to load than these files to read.
        with zipfile.ZipFile(file, "w") as archive:
            _add(archive, "__main__.py", _MAIN, _MAIN)
            _add(archive, "start.py", _START, start)
            for name, source in sorted(sources.items()):
                _add(archive, name, source, source)
    target.chmod(0o755)


def _file(module: str) -> str:
    return "client/__init__.py" if module == "client" else f"{module.replace('.', '/')}.py"


def _compile(name: str, source: str) -> CodeType:
    # Without docstrings, which nobody can read there.
    code: CodeType = compile(source, name, "exec", dont_inherit=True, optimize=2)
    return code


def _add(archive: zipfile.ZipFile, name: str, source: str, here: str) -> None:
    """Add a module's source, and what this version of Python is to run in its place."""
    archive.writestr(zipfile.ZipInfo(name, _TIME), source)
    # PEP 552: a pyc that is not checked against its source.
    header = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8)
    compiled = header + marshal.dumps(_compile(name, here))
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
