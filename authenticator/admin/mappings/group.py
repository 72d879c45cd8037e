"""The command `mappings`, to which the other modules add its verbs."""

from __future__ import annotations

import click

group = click.Group(
    "mappings",
    help="List, edit and restore who may enter, wherever that is written.\n\n"
    "Every verb that writes shows the difference first, refuses to lock people out, asks, and"
    " keeps what stood there before (history, rollback).",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
