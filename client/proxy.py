"""Which proxy a request goes through, as the environment says.

The variables are read as Go programs read them. The server reads them for itself
(``authenticator.aws.proxy``), since neither imports the other; ``tests/contract/test_proxies.py``
proves both equal to Go's own package. botocore reads them in another way, so its clients are told
(`for_botocore`).

Source: golang.org/x/net/http/httpproxy.
"""

from __future__ import annotations

import ipaddress
import os
import re
import urllib.parse
from typing import TYPE_CHECKING

from .errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
# net.SplitHostPort of Go: an address in brackets or a name, and a port.
_HOST_AND_PORT = re.compile(r"(?:\[([^][]*)]|([^][:]*)):([^][:]*)", re.DOTALL)
_IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
# Instance metadata, which is never asked through a proxy; its IPv4 addresses are link-local.
_METADATA = ("fd00:ec2::23", "fd00:ec2::254")


def for_url(url: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return the URL of the proxy for a request, or an empty string without one.

    Args:
        url: of the request, with the scheme ``http`` or ``https``.
        environment: holds HTTPS_PROXY (or HTTP_PROXY) and NO_PROXY; in lower case they count too.
    """
    parts = urllib.parse.urlsplit(url)
    proxy = _variable(environment, f"{parts.scheme.upper()}_PROXY")
    port = str(parts.port or PORTS[parts.scheme])
    if not proxy or _is_direct(parts.hostname or "", port, _variable(environment, "NO_PROXY")):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def for_botocore(url: str) -> dict[str, str]:
    """Return the proxies for a request in the form of botocore's configuration.

    Raises:
        ClientError: it is a SOCKS proxy, which botocore cannot use.
    """
    proxy = for_url(url)
    parts = urllib.parse.urlsplit(url)
    if proxy.lower().startswith("socks"):
        raise ClientError(
            "HTTPS_PROXY names a SOCKS proxy, which botocore cannot use; name one with http:// or"
            f" https://, or list {parts.hostname} in NO_PROXY if it can be reached directly"
        )
    return {parts.scheme: proxy} if proxy else {}


def as_botocore_reads(proxies: Mapping[str, str], url: str) -> dict[str, str]:
    """Return those of botocore's proxies that count for a request, as `for_botocore` gives them."""
    scheme = urllib.parse.urlsplit(url).scheme
    proxy = proxies.get(scheme, "")
    return {scheme: proxy if "://" in proxy else f"http://{proxy}"} if proxy else {}


def _variable(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.lower(), "")


def _is_direct(host: str, port: str, no_proxy: str) -> bool:
    address = _address(host)
    if host == "localhost" or (address is not None and _is_local(address)):
        return True
    items = [item.strip().lower() for item in no_proxy.split(",")]
    return "*" in items or any(_matches(item, host.lower(), port, address) for item in items)


def _is_local(address: _IpAddress) -> bool:
    return address.is_loopback or address.is_link_local or str(address) in _METADATA


def _matches(item: str, host: str, port: str, address: _IpAddress | None) -> bool:
    """Whether an item of NO_PROXY covers a host."""
    network = _network(item)
    if network is not None:
        return address is not None and address in network
    parts = _HOST_AND_PORT.fullmatch(item)
    name, limit = (parts[1] or parts[2] or "", parts[3]) if parts else (item, "")
    if limit not in ("", port) or not name:
        return False
    own = _address(name)
    if own is not None or address is not None:
        return own == address
    if name.startswith("*."):
        name = name[1:]
    return host.endswith(name) if name[0] == "." else f".{host}".endswith(f".{name}")


def _network(item: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    base, slash, bits = item.partition("/")
    if not slash or "%" in base or not (bits.isascii() and bits.isdigit()):
        return None
    try:
        network = ipaddress.ip_network(item, strict=False)
    except ValueError:
        return None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    # ::ffff:192.0.2.1 holds the IPv4 address in its last 32 of 128 bits.
    return ipaddress.ip_network(f"{mapped}/{network.prefixlen - 96}") if mapped else network


def _address(text: str) -> _IpAddress | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return address
    return None if address.scope_id else address.ipv4_mapped or address
