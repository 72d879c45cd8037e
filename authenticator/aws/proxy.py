"""Which proxy HTTPS requests go through, as the environment says.

The variables are read as Go programs read them, so that a host that runs the reference is
configured already. The client reads them for itself (`client.proxy`), since neither imports the
other; `tests/contract/test_proxies.py` proves both equal to Go's own package.

Source: golang.org/x/net/http/httpproxy.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from authenticator.errors import ConfigError

_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_FORM = "it must be http://, https:// or socks5://[USER:PASSWORD@]HOST[:PORT]"
_MAX_PORT = 65535
# Instance metadata (EC2, ECS, EKS Pod Identity) gives out credentials, and is link-local for that
# reason. The IPv6 addresses are not.
_METADATA = frozenset(
    ipaddress.ip_address(address) for address in ("fd00:ec2::23", "fd00:ec2::254")
)
# The same and loopback, as `urllib` compares hosts.
_NEVER = (
    *("localhost", "127.0.0.1", "[::1]"),
    *("169.254.169.254", "169.254.170.2", "169.254.170.23"),
    *("[fd00:ec2::254]", "[fd00:ec2::23]"),
)
# net.SplitHostPort of Go.
_HOST_AND_PORT = re.compile(
    r"(?:\[(?P<address>[^][]*)]|(?P<name>[^][:]*)):(?P<port>[^][:]*)", re.DOTALL
)
# RFC 4291, section 2.5.5.2: what stands before the IPv4 address in ::ffff:192.0.2.1.
_MAPPED_BITS = 96
_IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that connects us with other hosts.

    Attributes:
        scheme: `http` or `https` (CONNECT, RFC 9110), `socks5` or `socks5h` (RFC 1928). With
            either of the last two the proxy resolves the names, as it does with Go.
        host: its name or address.
        port: its port.
        username: "" without credentials.
        password: likewise.
    """

    scheme: str
    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """The URL, with the password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        password = f":{quote(self.password, safe='')}" if self.password else ""
        userinfo = f"{quote(self.username, safe='')}{password}@" if self.username else ""
        return f"{self.scheme}://{userinfo}{host}:{self.port}"

    @property
    def is_socks(self) -> bool:
        """Whether it is a SOCKS proxy, which not every library can use."""
        return self.scheme.startswith("socks")

    @classmethod
    def parse(cls, text: str) -> Proxy:
        """Read `[SCHEME://][USER:PASSWORD@]HOST[:PORT]`; the default scheme is `http`.

        Raises:
            ValueError: it has another form. The message does not hold the text, in which a
                password may be.
        """
        try:
            parts = urlsplit(text if "://" in text else f"http://{text}")
            port = _PORTS[parts.scheme] if parts.port is None else parts.port
        except (ValueError, KeyError):
            raise ValueError(_FORM) from None
        if not parts.hostname or not port or not parts.netloc.isprintable():
            raise ValueError(_FORM)
        return cls(
            parts.scheme,
            parts.hostname,
            port,
            unquote(parts.username or ""),
            unquote(parts.password or ""),
        )


class NoProxy:
    """The hosts that are reached without a proxy, as the variable NO_PROXY lists them.

    An item is `*` for all, an address, a network in CIDR form, or a domain, which stands for
    itself and all below it; with a leading `.` or `*.`, only for those below it. `:PORT` limits an
    address or domain to that port. Loopback and instance metadata never need to be listed.
    """

    def __init__(self, text: str) -> None:
        items = [item.strip().lower() for item in text.split(",")]
        self._items = items
        self._all = "*" in items
        self._networks: list[_IpNetwork] = []
        self._addresses: list[tuple[_IpAddress, str]] = []
        self._domains: list[tuple[str, str]] = []
        for item in filter(None, items):
            self._add(item)

    def _add(self, item: str) -> None:
        network = _network(item)
        if network is not None:
            self._networks.append(network)
            return
        host, port = _split_port(item)
        address = _address(host)
        if address is not None:
            self._addresses.append((address, port))
        elif host:
            self._domains.append((host[1:] if host.startswith("*.") else host, port))

    def for_urllib(self) -> str:
        """Return the list with what `urllib` needs to decide about AWS's hosts as `covers` does.

        It does not know `*.DOMAIN`, and has no hosts that are always reached directly.
        """
        if self._all:
            return "*"
        domains = [domain for domain, port in self._domains if domain[0] == "." and not port]
        return ",".join(filter(None, dict.fromkeys([*self._items, *_NEVER, *domains])))

    def covers(self, host: str, port: int) -> bool:
        """Whether `host` is reached without a proxy.

        Args:
            host: a host name or an IP address without brackets.
            port: its port.
        """
        if host == "localhost" or self._all:
            return True
        address = _address(host)
        if address is None:
            return any(
                limit in ("", str(port)) and _is_below(host.lower(), domain)
                for domain, limit in self._domains
            )
        if address.is_loopback or address.is_link_local or address in _METADATA:
            return True
        return any(address in network for network in self._networks) or any(
            address == other and limit in ("", str(port)) for other, limit in self._addresses
        )


@dataclass(frozen=True, slots=True)
class Proxies:
    """Which proxy to go through.

    Attributes:
        https: the proxy for HTTPS requests; None without one.
        no_proxy: the hosts that are reached directly.
    """

    https: Proxy | None
    no_proxy: NoProxy

    def for_host(self, host: str, port: int = 443) -> Proxy | None:
        """Return the proxy for `https://host:port`, or None if it is reached directly."""
        return None if self.https is None or self.no_proxy.covers(host, port) else self.https

    def export(self, environment: MutableMapping[str, str] = os.environ) -> None:
        """Rewrite NO_PROXY so that botocore and requests decide as this does.

        They read the environment for themselves, as `urllib` does: without `*.DOMAIN`, the lower
        case first, and with metadata asked through HTTP_PROXY. Call it before they are used.
        """
        for name, value in (
            ("HTTPS_PROXY", self.https.url if self.https else ""),
            ("NO_PROXY", self.no_proxy.for_urllib()),
        ):
            environment[name] = environment[name.lower()] = value

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Proxies:
        """Return what HTTPS_PROXY and NO_PROXY say; in lower case they count as well.

        Raises:
            ConfigError: HTTPS_PROXY has another form.
        """
        url = _variable(environment, "HTTPS_PROXY")
        try:
            proxy = Proxy.parse(url) if url else None
        except ValueError as error:
            raise ConfigError((f"HTTPS_PROXY: {error}",)) from None
        return cls(proxy, NoProxy(_variable(environment, "NO_PROXY")))


def _variable(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.lower(), "")


def _is_below(host: str, domain: str) -> bool:
    return host.endswith(domain) if domain[0] == "." else f".{host}".endswith(f".{domain}")


def _split_port(item: str) -> tuple[str, str]:
    """Split `HOST:PORT` or `[ADDRESS]:PORT`; what has another form is all host."""
    found = _HOST_AND_PORT.fullmatch(item)
    return (found["address"] or found["name"] or "", found["port"]) if found else (item, "")


def _network(item: str) -> _IpNetwork | None:
    base, slash, bits = item.partition("/")
    if not slash or "%" in base or not (bits.isascii() and bits.isdigit()):
        return None
    try:
        network = ipaddress.ip_network(item, strict=False)
    except ValueError:
        return None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None:
        return network
    return ipaddress.ip_network(f"{mapped}/{network.prefixlen - _MAPPED_BITS}")


def _address(host: str) -> _IpAddress | None:
    """Return the address that a host is, or None. An IPv4 address in IPv6 form counts as IPv4."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return address
    return None if address.scope_id else address.ipv4_mapped or address
