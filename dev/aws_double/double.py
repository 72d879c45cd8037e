"""The AWS double as a whole, running in a thread of the process that made it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from types import MappingProxyType
from typing import final

from dev.aws_double.calls import Calls
from dev.aws_double.certificates import CertificateAuthority
from dev.aws_double.control import Control
from dev.aws_double.eks import Eks, EksCluster
from dev.aws_double.faults import Faults
from dev.aws_double.federation import Federation
from dev.aws_double.hosts import Service
from dev.aws_double.iam import Iam
from dev.aws_double.issuers import Issuers
from dev.aws_double.principals import Principal, Principals
from dev.aws_double.proxy import Proxy
from dev.aws_double.sso import Sso, SsoSession
from dev.aws_double.sts import Sts
from dev.aws_double.trust import Role
from dev.aws_double.tunnel import Backend
from dev.aws_double.web_identity import WebIdentity
from dev.aws_double.wire import MAX_HEAD
from dev.waiting import PATIENCE_SECONDS

_BACKLOG = 1024
_NO_PROXY = "localhost,127.0.0.1,::1"

_Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]


@final
class AwsDouble:
    """AWS, as far as an authenticator sees it, behind an HTTPS proxy.

        with AwsDouble(principals=[user("111122223333", "alice")]) as aws:
            subprocess.run(command, env={**os.environ, **aws.environment()})
            assert aws.calls.counts().total == 1

    Args:
        principals: who has keys.
        roles: what AssumeRole and AssumeRoleWithWebIdentity give sessions of.
        mfa_codes: the code that each MFA device shows, by its serial number or ARN.
        web_identities: the subject of each web identity token that is accepted.
        sso_sessions: who is logged in at IAM Identity Center.
        eks_clusters: what EKS manages.
        clock: seconds since the epoch; what signatures and credentials are judged by.
        state_dir: where the certificates go; a temporary directory when it is left out.
        address: the IP address to listen on; loopback when it is left out.

    Attributes:
        principals: the keys, which may be changed while the double runs.
        faults: what goes wrong, except at the hosts that publish the keys of JWTs.
        issuer_faults: what goes wrong at those.
        federation: the JWTs of STS (`dev.aws_double.federation`); no account has it enabled yet.
        eks: Amazon EKS, whose clusters may be changed while the double runs.
        calls: what was asked.
    """

    def __init__(
        self,
        principals: Iterable[Principal] = (),
        *,
        roles: Iterable[Role] = (),
        mfa_codes: Mapping[str, str] = MappingProxyType({}),
        web_identities: Mapping[str, str] = MappingProxyType({}),
        sso_sessions: Iterable[SsoSession] = (),
        eks_clusters: Iterable[EksCluster] = (),
        clock: Callable[[], float] = time.time,
        state_dir: Path | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        self.principals = Principals(principals)
        self.faults = Faults(clock)
        self.issuer_faults = Faults(clock)
        self.federation = Federation(clock)
        self.calls = Calls()
        by_arn = {role.arn: role for role in roles}
        sts = Sts(
            self.principals,
            clock,
            by_arn,
            mfa_codes,
            web_identities,
            WebIdentity(self.federation, clock),
        )
        sso = Sso(sso_sessions, self.principals, clock)
        self.eks = Eks(eks_clusters, self.principals, clock)
        self._backend = Backend(
            {
                Service.STS: sts,
                Service.SSO: sso,
                Service.SSO_OIDC: sso,
                Service.ISSUER: Issuers(self.federation, self.issuer_faults),
                Service.EKS: self.eks,
                Service.IAM: Iam(self.federation, self.principals, clock),
            },
            self.principals,
            self.faults,
            self.issuer_faults,
            self.calls,
            clock,
        )
        self._state_dir = state_dir
        self._address = address
        self._cleanup = ExitStack()
        self._running: Future[_Running] = Future()

    def __enter__(self) -> AwsDouble:
        directory = self._state_dir
        if directory is None:
            directory = Path(self._cleanup.enter_context(TemporaryDirectory(prefix="aws-double-")))
        authority = CertificateAuthority(directory)
        thread = Thread(target=asyncio.run, args=(self._serve(authority),), name="aws-double")
        thread.start()
        self._cleanup.callback(thread.join)
        self._running.result(timeout=PATIENCE_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        running = self._running.result()
        running.loop.call_soon_threadsafe(running.stop.set)
        self._cleanup.close()

    @property
    def ca_bundle(self) -> Path:
        """The PEM file with the authority to trust."""
        return self._running.result().ca_bundle

    @property
    def proxy_url(self) -> str:
        """Where the proxy listens."""
        return self._running.result().proxy_url

    @property
    def control_url(self) -> str:
        """Where the control endpoint listens (`dev.aws_double.control`)."""
        return self._running.result().control_url

    def environment(self) -> dict[str, str]:
        """Give the variables that make AWS SDKs, and Go programs, come here and nowhere else.

        Some programs prefer the proxy variables in lower case (curl, Python) and others in upper
        case (Go): both are set, so that none of the machine's own shines through.
        """
        proxy, bundle = self.proxy_url, str(self.ca_bundle)
        return {
            "HTTPS_PROXY": proxy,
            "https_proxy": proxy,
            "NO_PROXY": _NO_PROXY,
            "no_proxy": _NO_PROXY,
            "AWS_CA_BUNDLE": bundle,
            "SSL_CERT_FILE": bundle,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    async def _serve(self, authority: CertificateAuthority) -> None:
        proxy = await _listen(self._address, Proxy(self._backend, authority).serve)
        control = await _listen(
            self._address,
            Control(self.faults, self.issuer_faults, self.federation, self.calls).serve,
        )
        stop = asyncio.Event()
        self._running.set_result(
            _Running(asyncio.get_running_loop(), stop, _url(proxy), _url(control), authority.bundle)
        )
        await stop.wait()
        proxy.close()
        control.close()
        # asyncio.run() now cancels the connections that are left.


@dataclass(frozen=True, slots=True)
class _Running:
    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event
    proxy_url: str
    control_url: str
    ca_bundle: Path


async def _listen(address: str, serve: _Serve) -> asyncio.Server:
    # The loop holds tasks weakly, and once TLS has replaced a connection's first protocol nothing
    # else would hold the task that serves it.
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    return await asyncio.start_server(connected, address, 0, limit=MAX_HEAD, backlog=_BACKLOG)


def _url(server: asyncio.Server) -> str:
    host, port = server.sockets[0].getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
