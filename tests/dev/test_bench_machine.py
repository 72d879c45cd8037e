"""The machine is named by what it is, and not by whose it is."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from dev.bench.machine import built_with, cpu_model, this_machine


def test_cpu_model_of_x86() -> None:
    assert cpu_model("processor\t: 0\nmodel name\t: AMD EPYC\nflags\t: fpu\n") == "AMD EPYC"


def test_cpu_model_where_there_is_no_name() -> None:
    assert cpu_model("processor\t: 0\nCPU part\t: 0xd40\n") == platform.machine()


def test_the_go_version_is_read_from_a_program() -> None:
    # The layout of Go's debug/buildinfo: magic, pointer size, flags, padding to 32 bytes, length.
    header = b"\xff Go buildinf:" + b"\x08\x02" + bytes(16)
    assert built_with(b"ELF..." + header + b"\x08go1.26.8" + b"\x30w...") == "1.26.8"


def test_a_program_not_made_with_go() -> None:
    assert built_with(b"#!/bin/sh\n") == "unknown"


def test_no_host_name_and_no_path() -> None:
    text = str(this_machine(Path(sys.executable)))
    assert platform.node() not in text.split()
    assert "/" not in text.replace("cores of", "")
