"""Importing this runs the plugin: the first line of the single file has room for no more."""

import sys

from .__main__ import run

sys.exit(run())
