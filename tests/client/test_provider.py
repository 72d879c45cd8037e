"""A provider hands out tokens that last, however many ask."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from client import ClientError, Token, TokenProvider

LIFETIME = 840.0


class Mint:
    """Makes numbered tokens on a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.step = 0.0
        self.made = 0
        self.fails = False

    def clock(self) -> float:
        return self.now + self.step

    def timer(self) -> float:
        """What no step of the clock changes."""
        return self.now

    def __call__(self) -> Token:
        self.made += 1
        if self.fails:
            raise ClientError("no credentials")
        return Token(f"token-{self.made}", self.clock() + LIFETIME)


@pytest.fixture
def mint() -> Mint:
    return Mint()


@pytest.fixture
def provider(mint: Mint) -> TokenProvider:
    return TokenProvider(mint, clock=mint.clock, timer=mint.timer)


def test_one_token_serves_until_shortly_before_its_end(mint: Mint, provider: TokenProvider) -> None:
    first = provider.get()
    mint.now += LIFETIME - 61
    same = provider.get()
    mint.now += 2
    other = provider.get()

    assert (first, same, other) == ("token-1", "token-1", "token-2")


def test_over_three_lifetimes_every_token_lasts(mint: Mint, provider: TokenProvider) -> None:
    ends: dict[str, float] = {}
    while mint.made < 4:
        token = provider.get()
        assert mint.now < ends.setdefault(token, mint.now + LIFETIME)
        mint.now += 97


@pytest.mark.parametrize("step", [-7200.0, -60.0, 0.0])
def test_a_token_does_not_outlive_its_time_when_the_clock_is_set_back(
    mint: Mint, provider: TokenProvider, step: float
) -> None:
    """AWS's clock is not set back: it takes the token for what it is, too old."""
    assert provider.get() == "token-1"
    mint.step = step
    mint.now += LIFETIME - 61
    assert provider.get() == "token-1"
    mint.now += 2
    assert provider.get() == "token-2"
    mint.now += LIFETIME - 61
    assert provider.get() == "token-2"


def test_a_token_does_not_outlive_a_sleep_of_the_computer(
    mint: Mint, provider: TokenProvider
) -> None:
    """The timer stops meanwhile, and the clock goes on."""
    assert provider.get() == "token-1"
    mint.step = LIFETIME
    assert provider.get() == "token-2"


def test_threads_share_one_token(mint: Mint, provider: TokenProvider) -> None:
    barrier = threading.Barrier(16)

    def get(_: int) -> str:
        barrier.wait()
        return provider.get()

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(get, range(16))) == {"token-1"}
    assert mint.made == 1


def test_tasks_share_one_token_and_the_loop_goes_on(mint: Mint) -> None:
    minting, go_on = threading.Event(), threading.Event()

    def slow() -> Token:
        minting.set()
        go_on.wait(timeout=30)
        return mint()

    provider = TokenProvider(slow, clock=mint.clock, timer=mint.timer)

    async def ask() -> list[str]:
        asking = [asyncio.create_task(provider.get_async()) for _ in range(5)]
        await asyncio.to_thread(minting.wait, 30)
        # The loop runs this while the minting waits for it.
        go_on.set()
        return [*await asyncio.gather(*asking), await provider.get_async()]

    assert set(asyncio.run(ask())) == {"token-1"}
    assert mint.made == 1


def test_a_refusal_is_raised_when_there_is_no_token(mint: Mint, provider: TokenProvider) -> None:
    mint.fails = True

    with pytest.raises(ClientError):
        provider.get()


def test_a_refusal_is_borne_while_the_old_token_lasts(mint: Mint, provider: TokenProvider) -> None:
    provider.get()
    mint.now += LIFETIME - 30
    mint.fails = True

    assert [provider.get(), provider.get()] == ["token-1", "token-1"]
    assert mint.made == 2
    mint.now += 11
    assert provider.get() == "token-1"
    assert mint.made == 3
    mint.now += 20
    with pytest.raises(ClientError):
        provider.get()


def test_after_a_refusal_the_next_token_serves(mint: Mint, provider: TokenProvider) -> None:
    provider.get()
    mint.now += LIFETIME - 30
    mint.fails = True
    provider.get()
    mint.fails = False
    mint.now += 11

    assert provider.get() == "token-3"


def test_a_rejected_token_is_replaced_once(mint: Mint, provider: TokenProvider) -> None:
    rejected = provider.get()
    provider.reject(rejected)
    replacement = provider.get()
    provider.reject(rejected)

    assert (replacement, provider.get()) == ("token-2", "token-2")


def test_a_token_is_not_in_its_representation() -> None:
    assert "secret" not in repr(Token("k8s-aws-v1.secret", 0))
