"""The server and the client read HTTPS_PROXY and NO_PROXY as Go's own package does."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Mapping
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.aws.proxy import Proxies, Proxy
from authenticator.errors import ConfigError
from client import proxy as client_proxy
from dev import httpproxy

pytestmark = [pytest.mark.reference, pytest.mark.timeout(600)]

PROXY = "http://proxy.example:3128"
HOSTS = (
    "sts.us-west-2.amazonaws.com",
    "sts.amazonaws.com",
    "amazonaws.com",
    "notamazonaws.com",
    "STS.EU-west-1.amazonaws.com",
    "localhost",
    "localhost.example",
    "127.0.0.1",
    "127.9.9.9",
    "10.1.2.3",
    "192.168.255.1",
    "172.16.0.1",
    "[::1]",
    "[fd00::a1]",
    "[::ffff:10.1.2.3]",
    "[2001:db8::1]",
)
PORTS = ("", ":443", ":8443")
ITEMS = (
    *("*", "", " ", ".", "*.", ":", ":443", "*:443", "*amazonaws.com", "*.*.com", "a*.com"),
    *("amazonaws.com", ".amazonaws.com", "*.amazonaws.com", " AmazonAWS.com ", "amazonaws.com."),
    *(
        "amazonaws.com:443",
        ".amazonaws.com:8443",
        "*.amazonaws.com:443",
        "amazonaws.com:",
        "aws.com",
    ),
    *(
        "sts.amazonaws.com",
        "sts.us-west-2.amazonaws.com",
        "localhost",
        "example",
        "com",
        "https://a.b",
    ),
    *("10.0.0.0/8", "10.1.2.3", "10.1.2.3:443", "10.1.2.3:8443", "10.1.2.0/33", "10.1.2/24"),
    *("10.1.2.3/32", "10.1.2.3/08", "10.1.2.3/+8", "10.1.2.3/255.0.0.0", "10.1", "0.0.0.0/0"),
    *("172.16.0.0/12", "192.168.0.0/16", "fd00::/8", "fd00::a1", "[fd00::a1]", "[fd00::a1]:443"),
    *("[fd00::a1]:8443", "::/0", "::1", "2001:db8::/32", "[2001:db8::]/32", "::ffff:10.1.2.3"),
    *("::ffff:10.0.0.0/104", "010.1.2.3", "10.1.2.3:443:443", "10.1.2.3.", "fd00::a1%eth0"),
    *(
        "a:b:c",
        "[",
        "]",
        "[]",
        "[]:443",
        "[a",
        "a]:443",
        "[sts.amazonaws.com]:443",
        "amazonaws.com:https",
    ),
)


def in_url(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    return f"[{address}]" if address.version == 6 else str(address)


def agree(questions: list[tuple[Mapping[str, str], str]]) -> None:
    for question, expected in zip(questions, httpproxy.ask(questions), strict=True):
        environment, url = question
        parts = urlsplit(url)
        ours = Proxies.from_environment(environment).for_host(
            parts.hostname or "", parts.port or 443
        )
        assert (ours is not None) == bool(expected), question
        if ours is not None:
            there = urlsplit(expected)
            assert (ours.scheme, ours.host) == (there.scheme, there.hostname), question
        theirs = client_proxy.for_url(url, environment)
        assert theirs.rstrip("/") == expected.rstrip("/"), question


@pytest.mark.parametrize("host", HOSTS)
def test_each_item_means_the_same_for_each_host(host: str) -> None:
    agree(
        [
            ({"HTTPS_PROXY": PROXY, "NO_PROXY": item}, f"https://{host}{port}/")
            for item in ITEMS
            for port in PORTS
        ]
    )


def test_lists_mean_the_same() -> None:
    chance = random.Random(14)
    agree(
        [
            (
                {"HTTPS_PROXY": PROXY, "NO_PROXY": ",".join(chance.sample(ITEMS, 4))},
                f"https://{chance.choice(HOSTS)}{chance.choice(PORTS)}/",
            )
            for _ in range(3000)
        ]
    )


def test_items_of_random_characters_mean_the_same() -> None:
    chance = random.Random(15)
    alphabet = "a.*:/[]1025 f%"
    agree(
        [
            (
                {
                    "HTTPS_PROXY": PROXY,
                    "NO_PROXY": "".join(chance.choices(alphabet, k=chance.randint(1, 12))),
                },
                f"https://{chance.choice(('a', 'a.a', '10.1.2.5', '[f::1]'))}/",
            )
            for _ in range(20000)
        ]
    )


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"HTTPS_PROXY": ""},
        {"https_proxy": PROXY},
        {"HTTPS_PROXY": PROXY, "https_proxy": "http://other:1"},
        {"HTTPS_PROXY": "", "https_proxy": PROXY},
        {"HTTPS_PROXY": PROXY, "NO_PROXY": "", "no_proxy": "amazonaws.com"},
        {"HTTPS_PROXY": PROXY, "NO_PROXY": "x.y", "no_proxy": "amazonaws.com"},
        {"HTTP_PROXY": PROXY, "ALL_PROXY": PROXY},
        {"HTTPS_PROXY": "proxy.example"},
        {"HTTPS_PROXY": "proxy.example:3128"},
        {"HTTPS_PROXY": "https://proxy.example"},
        {"HTTPS_PROXY": "socks5://proxy.example"},
        {"HTTPS_PROXY": "socks5h://me:secret@proxy.example:1"},
        {"HTTPS_PROXY": "http://10.0.0.1:3128"},
        {"HTTPS_PROXY": "http://[fd00::1]:3128"},
    ],
    ids=str,
)
def test_the_variables_mean_the_same(environment: dict[str, str]) -> None:
    agree([(environment, "https://sts.us-west-2.amazonaws.com/")])


@given(
    no_proxy=st.text(max_size=40) | st.lists(st.sampled_from(ITEMS)).map(",".join),
    host=st.sampled_from(HOSTS) | st.ip_addresses().map(in_url),
)
def test_no_list_is_a_fault_and_both_readers_agree_on_any(no_proxy: str, host: str) -> None:
    environment = {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy}
    direct = Proxies.from_environment(environment).for_host(host.strip("[]")) is None
    assert (client_proxy.for_url(f"https://{host}/", environment) == "") == direct


@given(st.text(max_size=40) | st.from_regex(r"(http|https|socks5)://[!-~]*", fullmatch=True))
def test_any_other_proxy_is_a_configuration_error(url: str) -> None:
    try:
        proxy = Proxies.from_environment({"HTTPS_PROXY": url}).https
    except ConfigError:
        return
    assert proxy is None or Proxy.parse(proxy.url) == proxy


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "169.254.170.2", "[fd00:ec2::254]", "[fd00:ec2::23]"]
)
def test_metadata_never_goes_through_a_proxy_unlike_with_gos_package(host: str) -> None:
    """Go's SDK leaves the proxy out for these by itself."""
    environment = {"HTTPS_PROXY": PROXY, "HTTP_PROXY": PROXY}
    assert httpproxy.ask([(environment, f"https://{host}/")]) == [PROXY]
    assert Proxies.from_environment(environment).for_host(host.strip("[]")) is None
    assert client_proxy.for_url(f"http://{host}/", environment) == ""
