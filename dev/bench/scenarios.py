"""The server's scenarios, as a table: what is sent, how STS behaves, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dev.bench.double import Behaviour

if TYPE_CHECKING:
    from collections.abc import Sequence

_FLAWLESS = Behaviour()

_FAULTS = ("hang", "reset", "500", "rubbish")

# STS's quota for one signer account and Region, with the time of a call within a Region.
_REAL_STS = Behaviour(latency="20ms", rate=600, burst=600)


@dataclass(frozen=True, slots=True)
class Case:
    """One variant of a scenario: its streams as dev/bench/loadgen reads them, and STS's fault."""

    label: str
    streams: tuple[str, ...]
    fault: str = ""

    def with_jwts(self) -> Case:
        """Return the same load with JWTs, signed beforehand, in place of presigned tokens."""
        streams = (stream.replace("tokens=new", "tokens=listed") for stream in self.streams)
        return replace(self, streams=tuple(streams))


@dataclass(frozen=True, slots=True)
class Scenario:
    """One section of the report.

    `{connections}` in a stream is replaced by each of `connections`. With `outage`, STS works
    for `warmup` seconds, then fails for `outage` seconds in each way it can, then works again.
    With `cluster`, the servers also watch the ConfigMap of a real API server. With `jwts`, ours is
    measured a second time with JWTs, of which so many are signed for each second. A routine
    scenario runs when none is named.
    """

    name: str
    title: str
    about: str
    streams: tuple[str, ...]
    connections: tuple[int, ...] = ()
    warmup: float = 2.0
    seconds: float = 5.0
    runs: int = 5
    sts: Behaviour = _FLAWLESS
    outage: float = 0.0
    cluster: bool = False
    jwts: int = 0
    routine: bool = True

    def cases(self, connections: Sequence[int] = ()) -> list[Case]:
        """Return the variants to measure, with other numbers of connections if given."""
        if self.outage:
            return [Case(f"STS: {fault}", self.streams, fault) for fault in _FAULTS]
        if not self.connections:
            return [Case(self.name, self.streams)]
        return [
            Case(
                f"{number} connections",
                tuple(stream.format(connections=number) for stream in self.streams),
            )
            for number in connections or self.connections
        ]


SCENARIOS = (
    Scenario(
        name="new",
        title="Every token new",
        about="Each connection asks again as soon as it is answered, always with a token never "
        "seen before: one STS call for each review.",
        streams=("name=users,tokens=new,connections={connections}",),
        connections=(8, 64),
    ),
    Scenario(
        name="again",
        title="300 live tokens again and again",
        about="Several API servers ask about the same users: 300 tokens take turns.",
        streams=("name=users,tokens=pool,callers=300,connections={connections}",),
        connections=(8, 64),
    ),
    Scenario(
        name="jwt",
        title="JWTs that AWS issues, every one new",
        about="The load of the first of these scenarios, and for ours a second time with JWTs "
        "(RS256, 1 KB) instead of presigned tokens. The server verifies a JWT itself and asks STS "
        "nothing. The JWTs are signed before the load begins; the issuer's keys are in a file.",
        streams=("name=users,tokens=new,connections={connections}",),
        connections=(8, 64),
        jwts=7000,
    ),
    Scenario(
        name="foreign",
        title="Not our token at all",
        about="Expired ServiceAccount tokens (JWTs of 1 KiB), which every API server passes on "
        "to its webhook. All must be refused, without a call to STS.",
        streams=("name=others,tokens=foreign,connections={connections}",),
        connections=(8,),
    ),
    Scenario(
        name="quota",
        title="More logins than STS's quota would bear",
        about="STS allows 600 calls a second (burst 600) and takes 20 ms. 1,500 reviews a second "
        "are offered for 10 s, each token by three API servers within 2 s. Latency counts from "
        "when a review was due. Every review is valid and should be authenticated.",
        streams=("name=users,tokens=new,rate=1500,askers=3,within=2s,connections=64",),
        # The burst is part of the question.
        warmup=0.0,
        seconds=10.0,
        runs=3,
        sts=_REAL_STS,
    ),
    Scenario(
        name="flood",
        title="A flood of forged tokens beside 50 known users",
        about="50 users log in once a second each, always with a new token; after 5 s come 2,000 "
        "well-formed tokens a second with signatures of nobody, for 30 s. STS is as above.",
        streams=(
            "name=known,tokens=new,callers=50,rate=50,connections=32",
            "name=flood,tokens=forged,first=1000000,rate=2000,after=5s,connections=64",
        ),
        warmup=5.0,
        seconds=30.0,
        runs=2,
        sts=_REAL_STS,
    ),
    Scenario(
        name="outage",
        title="STS fails for a minute",
        about="50 users whose tokens STS has already proven ask once a second, and 10 new logins "
        "come a second; after 10 s STS hangs, resets connections, answers 500 or rubbish for "
        "60 s, then works again for 15 s. No review here may be answered as a denial. Recovered "
        "means: from then on every review due was authenticated.",
        streams=(
            "name=proven,tokens=pool,callers=50,rate=50,connections=64",
            "name=new,tokens=new,first=1000,callers=1000,rate=10,connections=128",
        ),
        warmup=10.0,
        seconds=75.0,
        runs=1,
        sts=Behaviour(latency="20ms"),
        outage=60.0,
        routine=False,
    ),
    Scenario(
        name="soak",
        title="Ten minutes of load",
        about="New tokens on 8 connections for 10 minutes, with the ConfigMap of a real API server "
        "watched; memory is that of all processes (PSS) at rest, half-way and at the end.",
        streams=("name=users,tokens=new,connections=8",),
        seconds=600.0,
        runs=1,
        cluster=True,
        routine=False,
    ),
)
