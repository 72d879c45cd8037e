"""The exec plugin and the token library: AWS credentials in, a bearer token out.

kubectl runs the plugin for every command and waits, so what runs when credentials are ready imports
next to nothing: no re, json, typing, dataclasses or hashlib, and no ``__future__``; values are
plain classes with slots. ``tests/client/test_imports.py`` pins the list. What starts with
``botocore_`` runs only when botocore has to, and may import what it likes.

>>> token = client.mint("my-cluster", region="eu-west-1")
>>> token.value, token.expiration
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .errors import ClientError
    from .token import Token, mint

__all__ = ["ClientError", "Token", "mint"]


def __getattr__(name: str) -> object:
    """Import on first use (PEP 562), so that parts of the package load without the rest."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import errors, token  # noqa: PLC0415

    return getattr(errors if name == "ClientError" else token, name)
