"""The certificate by which an API server shows `/validate` who asks, and the kubeconfig with it.

An API server shows webhooks no identity unless its AdmissionConfiguration names a kubeconfig
(Kubernetes, "Dynamic Admission Control", "Authenticate apiservers"). `init` issues both, and the
server does when it writes the webhook kubeconfig itself.

The certificate signs itself, as the server's does: the server accepts exactly this certificate, so
that no CA exists whose other certificates could count.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from authenticator.atomic import alone_in, write_atomically
from authenticator.errors import ConfigError
from authenticator.serving.certificates import rotation
from authenticator.serving.certificates.ownership import KEY_NAME, owner_for
from authenticator.serving.certificates.pair import (
    CERTIFICATE_NAME,
    LIFETIME,
    ServerCertificate,
    Wanted,
    load,
    load_or_create,
)
from authenticator.serving.certificates.webhook_kubeconfig import in_url

ROLE = "admission-client-"
_NEXT = "next-"
_CERTIFICATE = f"{ROLE}{CERTIFICATE_NAME}"
# The files of a state directory that `init` and `rotate` write.
FILES = tuple(
    f"{step}{ROLE}{name}" for step in ("", _NEXT) for name in (CERTIFICATE_NAME, KEY_NAME)
)
_KUBECONFIG_PREFIX = "admission-"
# As the API server calls the Service of overlays/deployment (net.JoinHostPort of its name).
_SERVICE = "aws-iam-authenticator.kube-system.svc:443"


@dataclass(frozen=True, slots=True)
class AdmissionClient:
    """The pair in one state directory, and where its kubeconfig is written.

    Attributes:
        directory: the state directory.
        kubeconfig: what AdmissionConfigurations name.
        hostname: a name or address by which webhook configurations reach this server.
        port: its TCP port.
    """

    directory: Path
    kubeconfig: Path
    hostname: str
    port: int

    @classmethod
    def next_to(
        cls, webhook_kubeconfig: Path, directory: Path, hostname: str, port: int
    ) -> AdmissionClient:
        """Return the one whose kubeconfig is written next to the webhook kubeconfig."""
        name = _KUBECONFIG_PREFIX + webhook_kubeconfig.name
        return cls(directory, webhook_kubeconfig.with_name(name), hostname, port)

    def is_behind(self) -> bool:
        """Whether `follow` has something to do: the pair is missing, or at another step."""
        is_next = (self.directory / f"{_NEXT}{_CERTIFICATE}").exists()
        missing = not (self.directory / _CERTIFICATE).exists() or not self.kubeconfig.exists()
        return missing or is_next != rotation.is_prepared(self.directory)

    def follow(self, now: datetime) -> ServerCertificate:
        """Bring the pair to the step of replacement at which the server's own pair is.

        It is issued if there is none. While the server's next pair waits, so does a next one of
        this: the server accepts both, and the kubeconfig shows the next.

        Returns:
            the pair in use.

        Raises:
            ConfigError: the files cannot be read, written or used.
        """
        is_prepared = rotation.is_prepared(self.directory)
        server = rotation.in_use(self.directory)
        # A pair from elsewhere is replaced by someone else, who knows nothing of this one.
        lifetime = server.ends - server.begins if server.self_signed else LIFETIME
        wanted = Wanted(hostname="", address="", lifetime=lifetime, client=True)
        try:
            with alone_in(self.directory):
                if self._is_half_switched():
                    self._move(CERTIFICATE_NAME)
                in_use = load_or_create(self.directory, wanted, now, prefix=ROLE)
                if is_prepared:
                    load_or_create(self.directory, wanted, now, prefix=_NEXT + ROLE)
                elif (self.directory / f"{_NEXT}{_CERTIFICATE}").exists():
                    # The key first, as in `rotation`.
                    self._move(KEY_NAME)
                    self._move(CERTIFICATE_NAME)
                    in_use = load_or_create(self.directory, wanted, now, prefix=ROLE)
        except OSError as error:
            problem = f"{error.filename or self.directory}: {error.strerror or error}"
            raise ConfigError((problem,)) from error
        self._write_kubeconfig()
        return in_use

    def _is_half_switched(self) -> bool:
        """Whether the key has been moved and its certificate has not."""
        certificate = self.directory / f"{_NEXT}{_CERTIFICATE}"
        if not certificate.exists() or _key_of(certificate).exists():
            return False
        try:
            load(certificate, self.directory / f"{ROLE}{KEY_NAME}", None)
        except ConfigError:
            return False
        return True

    def _move(self, name: str) -> None:
        (self.directory / f"{_NEXT}{ROLE}{name}").replace(self.directory / f"{ROLE}{name}")

    def _write_kubeconfig(self) -> None:
        """Write the kubeconfig with the newest pair unless it is there, to be read by its owner."""
        certificate = certificates(self.directory)[-1]
        try:
            pair = certificate.read_bytes(), _key_of(certificate).read_bytes()
            document = render(*pair, self._targets())
            # A file that was given to the API server's user stays that user's.
            if not self.kubeconfig.exists() or self.kubeconfig.read_bytes() != document:
                self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
                owner = owner_for(self.kubeconfig.parent)
                write_atomically(self.kubeconfig, document, 0o600, owner=owner)
        except OSError as error:
            problem = (
                f"{error.filename or self.kubeconfig}: {error.strerror or error}; the kubeconfig"
                " that API servers show the admission webhook cannot be written"
            )
            raise ConfigError((problem,)) from error

    def _targets(self) -> tuple[str, ...]:
        hosts = ("127.0.0.1", "localhost", in_url(self.hostname))
        return tuple(dict.fromkeys((*(f"{host}:{self.port}" for host in hosts), _SERVICE)))


def certificates(directory: Path) -> list[Path]:
    """Return the files of the certificate in use and of the next one, as far as they exist."""
    paths = (directory / _CERTIFICATE, directory / f"{_NEXT}{_CERTIFICATE}")
    return [path for path in paths if path.exists()]


def render(certificate: bytes, key: bytes, targets: tuple[str, ...]) -> bytes:
    """Return the kubeconfig of an AdmissionConfiguration.

    Args:
        certificate: the PEM of the client certificate.
        key: the PEM of its key.
        targets: `host:port` of the webhooks that are shown it, as the API server finds them. Other
            webhooks are shown nothing: no user is named `*`, and there is no current context.
    """
    user = {
        "client-certificate-data": base64.b64encode(certificate).decode("ascii"),
        "client-key-data": base64.b64encode(key).decode("ascii"),
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "users": [{"name": target, "user": dict(user)} for target in targets],
    }
    return yaml.safe_dump(document, sort_keys=False, width=2**20).encode("utf-8")


def _key_of(certificate: Path) -> Path:
    return certificate.with_name(certificate.name.replace(CERTIFICATE_NAME, KEY_NAME))
