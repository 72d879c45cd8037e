"""The process that fuzzes one target: `python -m dev.fuzz.engine TARGET [LIBFUZZER_FLAG ...]`."""

from __future__ import annotations

import importlib
import sys
from typing import Any

# It has no types, and nothing else needs it.
atheris: Any = importlib.import_module("atheris")

if __name__ == "__main__":
    with atheris.instrument_imports(include=["authenticator"]):
        from dev.fuzz.targets import TARGETS
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
