"""Makes docs/settings.md from `authenticator.settings`: `python -m dev.settings_page`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from authenticator.settings import places, variable

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"

_HEAD = """\
# Settings

A setting can be given as a flag, as an environment variable or in the config file (`--config`); a
flag wins over a variable, and that over the file. Keys are read in any case. Every problem is
reported at once, and an unknown key with the nearest known one. The mappings stand in the same
file, under `server`: `mapRoles`, `mapUsers` and `mapAccounts` ([guide](mappings.md)).
Proxies and the authority of STS's certificate come from `HTTPS_PROXY`, `NO_PROXY` and
`AWS_CA_BUNDLE` ([guide](sts.md#proxies-and-dns)).

| key | flag | variable | default | meaning |
|---|---|---|---|---|
"""


def page() -> str:
    """The page as it should be."""
    rows = []
    for name, field, place in places():
        default = "required" if field.is_required() else _shown(field.default)
        named = "" if place.file_only else f"`{variable(name)}`"
        flag = f"`{place.flag}`" if place.flag else ""
        rows.append(f"| `{place.path}` | {flag} | {named} | {default} | {field.description} |\n")
    return _HEAD + "".join(rows)


def _shown(default: object) -> str:
    if isinstance(default, BaseModel):
        return ""
    text = ",".join(map(str, default)) if isinstance(default, tuple) else str(default or "")
    if isinstance(default, bool):
        text = str(default).lower()
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    PAGE.write_text(page())
