"""The meaning of HTTPS_PROXY and NO_PROXY; `tests/contract/test_proxies.py` compares it with Go."""

import os

import pytest
from botocore.utils import get_environ_proxies

from authenticator.aws.proxy import NoProxy, Proxies, Proxy
from authenticator.errors import ConfigError

HOST = "sts.us-west-2.amazonaws.com"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://proxy", Proxy("http", "proxy", 80)),
        ("proxy", Proxy("http", "proxy", 80)),
        ("proxy:3128", Proxy("http", "proxy", 3128)),
        ("https://proxy", Proxy("https", "proxy", 443)),
        ("HTTPS://Proxy:8443/", Proxy("https", "proxy", 8443)),
        ("socks5://proxy", Proxy("socks5", "proxy", 1080)),
        ("socks5h://me@[fd00::1]:9", Proxy("socks5h", "fd00::1", 9, "me")),
        ("http://us%40er:pa%3Ass@proxy:3128", Proxy("http", "proxy", 3128, "us@er", "pa:ss")),
    ],
)
def test_a_proxy(url: str, expected: Proxy) -> None:
    assert Proxies.from_environment({"HTTPS_PROXY": url}).https == expected


@pytest.mark.parametrize(
    "url",
    ["ftp://proxy", "socks4://proxy", "http://", "http://proxy:notaport", "http://:80",
     "http://proxy:0", "http://proxy:65536", "http://user:secret@"],
)  # fmt: skip
def test_a_proxy_that_cannot_be_used_is_told_at_the_start(url: str) -> None:
    with pytest.raises(ConfigError, match="HTTPS_PROXY: it must be") as caught:
        Proxies.from_environment({"HTTPS_PROXY": url})
    assert "secret" not in str(caught.value)


def test_the_upper_case_counts_first_as_in_go() -> None:
    both = {"HTTPS_PROXY": "upper", "https_proxy": "lower", "NO_PROXY": "", "no_proxy": "x.y"}
    proxies = Proxies.from_environment(both)
    assert proxies.https == Proxy("http", "upper", 80)
    assert proxies.for_host("x.y") is None
    assert Proxies.from_environment({"https_proxy": "lower"}).https == Proxy("http", "lower", 80)


def test_without_a_proxy() -> None:
    assert Proxies.from_environment({"HTTPS_PROXY": ""}).for_host(HOST) is None


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "169.254.169.254",
     "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23"],
)  # fmt: skip
def test_loopback_and_metadata_never_go_through_a_proxy(host: str) -> None:
    proxies = Proxies(Proxy("http", "proxy", 3128), NoProxy(""))
    assert proxies.for_host(host) is None
    assert proxies.for_host(HOST) == proxies.https


@pytest.mark.parametrize(
    "no_proxy",
    ["*", "amazonaws.com", ".amazonaws.com", "*.amazonaws.com", "localhost, *.AMAZONAWS.com:443",
     HOST, f"{HOST}:443"],
)  # fmt: skip
def test_a_host_that_no_proxy_covers(no_proxy: str) -> None:
    assert NoProxy(no_proxy).covers(HOST, 443)


@pytest.mark.parametrize(
    "no_proxy",
    ["", ",", ":443", "aws.com", f".{HOST}", f"{HOST}:80", "*amazonaws.com", "10.0.0.0/8"],
)
def test_a_host_that_no_proxy_does_not_cover(no_proxy: str) -> None:
    assert not NoProxy(no_proxy).covers(HOST, 443)


@pytest.mark.parametrize(
    "no_proxy",
    ["", "*", "a.b,*", "*.amazonaws.com", ".amazonaws.com", "x.y, *.AmazonAWS.com", "10.0.0.0/8"],
)
def test_botocore_decides_the_same_in_the_exported_environment(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://us%40er:pass@proxy:3128")
    monkeypatch.setenv("https_proxy", "http://other:1")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    monkeypatch.setenv("no_proxy", "example.com")
    proxies = Proxies.from_environment()
    proxies.export()
    for host in (
        "ec2.eu-central-1.amazonaws.com",
        "sts.amazonaws.com",
        "example.com",
        "amazon.aws",
    ):
        ours = proxies.for_host(host)
        theirs = get_environ_proxies(f"https://{host}/").get("https")
        assert theirs == (ours and ours.url)
    for host in (
        "169.254.169.254",
        "[fd00:ec2::254]",
        "169.254.170.23",
        "localhost:80",
        "127.0.0.1",
    ):
        assert get_environ_proxies(f"http://{host}/latest") == {}
    # It can be read and exported a second time, as at a reload.
    exported = dict(os.environ)
    again = Proxies.from_environment()
    again.export()
    assert dict(os.environ) == exported
    assert again.https == proxies.https
    assert again.for_host("10.1.2.3") == proxies.for_host("10.1.2.3")


@pytest.mark.parametrize(
    "url", ["https://p:1", "socks5://me@p:2", "http://us%40er:pa%3Ass@[fd00::1]:3", "http://p:80"]
)
def test_a_proxys_url_is_read_as_that_proxy(url: str) -> None:
    assert Proxy.parse(url).url == url
    assert "pa:ss" not in repr(Proxy.parse(url))
