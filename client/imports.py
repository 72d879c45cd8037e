"""botocore, wherever it is installed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .errors import ClientError

if TYPE_CHECKING:
    from .botocore_credentials import BotocoreSession


def botocore_session(profile: str | None) -> BotocoreSession:
    """Return botocore's session for a profile, or the environment's.

    The single-file plugin starts without site-packages (``-S``), which is faster; they are added
    now, for the interpreter that runs it.

    Raises:
        ClientError: botocore is not installed for this interpreter.
    """
    if sys.flags.no_site:
        import site  # noqa: PLC0415 - its import would be what -S spares

        # `-I` leaves out what `pip install` without root installs; who could plant it there could
        # plant a credential_process in ~/.aws as well.
        site.ENABLE_USER_SITE = True
        site.main()
    try:
        from .botocore_credentials import BotocoreSession  # noqa: PLC0415 - takes 200 ms
    except ModuleNotFoundError as error:
        raise ClientError(
            f"these credentials need botocore ({error}); run `{sys.executable} -m pip install"
            " botocore`, or put keys in the environment"
        ) from error
    return BotocoreSession(profile or None)
