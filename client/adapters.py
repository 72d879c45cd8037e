"""A `TokenProvider` where HTTP and Kubernetes clients look for credentials.

None of the clients is imported here, so that the library depends on none of them.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from .provider import TokenProvider


class _Request(Protocol):
    """What requests and httpx have in common."""

    @property
    def headers(self) -> MutableMapping[str, str]: ...


_R = TypeVar("_R", bound=_Request)


class BearerAuth:
    """The ``auth`` of requests and of httpx: signs each request with a token that lasts.

    >>> requests.get(url, auth=BearerAuth(provider))
    >>> httpx.Client(auth=BearerAuth(provider))

    With ``httpx.AsyncClient``, ``await provider.get_async()`` first where minting may take long:
    httpx calls this one in its event loop.
    """

    def __init__(self, provider: TokenProvider) -> None:
        self._provider = provider

    def __call__(self, request: _R) -> _R:
        """Add the header. Raises ClientError."""
        request.headers["Authorization"] = f"Bearer {self._provider.get()}"
        return request


def keep_authorized(configuration: Any, provider: TokenProvider) -> None:
    """Have the Python ``kubernetes`` client ask the provider before each request.

    >>> configuration = kubernetes.client.Configuration(host=url)
    >>> keep_authorized(configuration, provider)
    >>> kubernetes.client.CoreV1Api(kubernetes.client.ApiClient(configuration))

    Args:
        configuration: a ``kubernetes.client.Configuration``; its ``api_key`` and
            ``refresh_api_key_hook`` are set.
        provider: hands out the tokens.
    """

    def refresh(asking: Any) -> None:
        asking.api_key["authorization"] = f"Bearer {provider.get()}"

    configuration.refresh_api_key_hook = refresh
    refresh(configuration)
