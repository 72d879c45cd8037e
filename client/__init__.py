"""The exec plugin and the token library: AWS credentials in, a bearer token out.

kubectl runs the plugin for every command and waits, so what runs when credentials are ready imports
next to nothing: no re, json, typing, dataclasses or hashlib, and no ``__future__``; values are
plain classes with slots. ``tests/client/test_imports.py`` pins the list. What starts with
``botocore_`` runs only when botocore has to, and may import what it likes.

>>> token = client.mint("my-cluster", region="eu-west-1")
>>> token = client.mint_jwt("my-cluster", region="eu-west-1")
>>> token.value, token.expiration
>>> provider = client.TokenProvider(functools.partial(client.mint, "my-cluster"))
>>> requests.get(url, auth=client.BearerAuth(provider))
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .adapters import BearerAuth, keep_authorized
    from .errors import ClientError
    from .jwt_token import mint_jwt
    from .provider import TokenProvider
    from .roles import Role
    from .token import Token, mint

__all__ = [
    "BearerAuth",
    "ClientError",
    "Role",
    "Token",
    "TokenProvider",
    "keep_authorized",
    "mint",
    "mint_jwt",
]

_MODULES = {
    "BearerAuth": "adapters",
    "ClientError": "errors",
    "Role": "roles",
    "Token": "token",
    "TokenProvider": "provider",
    "keep_authorized": "adapters",
    "mint": "token",
    "mint_jwt": "jwt_token",
}


def __getattr__(name: str) -> object:
    """Import on first use (PEP 562), so that parts of the package load without the rest."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = __import__(f"{__name__}.{_MODULES[name]}", fromlist=[name])
    found: object = getattr(module, name)
    return found
