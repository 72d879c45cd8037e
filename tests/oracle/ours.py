"""Our side: the same question to the product's own settings, sources, store, login and answer.

Only the proof of the caller is simulated: it believes the question.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from authenticator import config, review
from authenticator.aws.arns import CallerIdentity, PrincipalArn
from authenticator.errors import ConfigError, Denied, UnknownUser
from authenticator.login import Login
from authenticator.mapping.sections import SectionReader
from authenticator.settings import Settings
from authenticator.sources.base import Context, Publish, SourceState, Uncounted
from authenticator.sources.chain import MappingStore
from authenticator.sources.cluster_source import Documents
from authenticator.sources.config_map import AwsAuth
from authenticator.sources.custom_resources import IdentityMappings
from authenticator.sources.file import FileSource
from authenticator.sources.mappings import SourceOptions
from authenticator.sources.observing import Unsaved
from authenticator.sources.options import source_options
from authenticator.verdicts.verdict import Proof
from authenticator.verdicts.verdict import Source as ProofSource
from dev.oracle import Caller, Question, Step, User

_NOW = 1_900_000_000.0
_REQUEST = review.ReviewRequest("authentication.k8s.io/v1beta1", "token")
_MINIMAL = b"clusterID: oracle\n"


@dataclass(frozen=True, slots=True)
class Ours:
    """What our server makes of a question.

    Attributes:
        refusal: why it does not start; "" if it does.
        users: for each caller, the user; None for a denial.
    """

    refusal: str
    users: tuple[User | None, ...]


def answer(question: Question) -> Ours:
    """Take the steps of a question, and let its callers log in."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as running:
        try:
            server = _Server(question, Path(directory), running)
        except ConfigError as error:
            return Ours(str(error), ())
        for step in question.steps[1:]:
            server.take(step)
        return Ours("", tuple(server.user(caller) for caller in question.callers))


class _Server:
    def __init__(self, question: Question, directory: Path, running: contextlib.ExitStack) -> None:
        first, *_ = question.steps
        self._settings = _settings(question, directory, first.config)
        options = source_options(self._settings, directory / "config.yaml")
        context = Context(Unsaved(directory), Uncounted(), clock=lambda: _NOW)
        self._sources = [_source(mode, options, context) for mode in options.modes]
        self._store = MappingStore(self._sources)
        self._store.start()
        running.callback(self._store.stop)
        self.take(first)

    def take(self, step: Step) -> None:
        for source in self._sources:
            source.take(step)

    def user(self, caller: Caller) -> User | None:
        login = Login(
            prover=_Believer(caller),
            rules=self._store.current,
            name_instance=_instance_name,
            clock=lambda: _NOW,
        )
        try:
            decision = login.begin("token")
            if not isinstance(decision, review.Decision):
                decision = asyncio.run(login.finish(decision))
        except Denied:
            return None
        scrubbed = caller.account in self._settings.scrubbed_accounts
        answered = json.loads(review.allow(_REQUEST, decision, scrubbed=scrubbed))
        return User.of(answered["status"]["user"])


def _settings(question: Question, directory: Path, content: bytes | None) -> Settings:
    """The settings of the config file. Raises ConfigError."""
    flags = (
        ("backend_mode", ",".join(question.modes)),
        ("dynamic_file_user_id_strict", "true" if question.strict else "false"),
        ("dynamic_file_path", "dynamic.json" if "DynamicFile" in question.modes else None),
    )
    if content is None:
        return _minimal_settings(flags)
    file = directory / "config.yaml"
    file.write_bytes(content)
    return config.load(dict(flags), {}, file).settings


@functools.cache
def _minimal_settings(flags: tuple[tuple[str, str | None], ...]) -> Settings:
    return config.load({"cluster_id": "oracle", **dict(flags)}, {}, None).settings


def _source(mode: str, options: SourceOptions, context: Context) -> _Listed | _File:
    guard = options.guards[mode]
    if mode == "EKSConfigMap":
        return _Listed(AwsAuth(SectionReader(mode, guard)))
    if mode == "CRD":
        return _Listed(IdentityMappings(SectionReader(mode, guard)))
    if mode == "DynamicFile":
        return _File(SectionReader(mode, guard, options.user_id_strict), context)
    return _File(SectionReader(mode, guard), context, under="server")


class _File(FileSource):
    """A file that is told of its content, instead of looking for it."""

    def __init__(self, reader: SectionReader, context: Context, under: str = "") -> None:
        super().__init__(reader, Path("unused"), context, under=under)

    def start(self, publish: Publish) -> None:
        self._publish = publish

    def stop(self) -> None:
        pass

    def take(self, step: Step) -> None:
        content = step.dynamic if self.name == "DynamicFile" else step.config or _MINIMAL
        self._changed(FileNotFoundError() if content is None else content)


class _Listed:
    """A source of cluster objects that is told of each list, instead of watching for it."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._publish: Publish | None = None
        self._generation = 0

    @property
    def name(self) -> str:
        return self._documents.name

    def start(self, publish: Publish) -> None:
        self._publish = publish

    def stop(self) -> None:
        pass

    def take(self, step: Step) -> None:
        self._generation += 1
        if self.name == "CRD":
            objects = [
                {"metadata": {"name": name, "generation": self._generation}, "spec": spec}
                for name, spec in step.objects.items()
            ]
        elif step.aws_auth is None:
            objects = []
        else:
            objects = [{"metadata": {"name": "aws-auth"}, "data": dict(step.aws_auth)}]
        self._documents.listed(objects, _NOW)
        assert self._publish
        self._publish(SourceState(self.name, self._documents.sections(), synced=True))


class _Believer:
    """Proves that the caller is who the question says."""

    def __init__(self, caller: Caller) -> None:
        arn = PrincipalArn.parse(caller.arn)
        identity = CallerIdentity(arn, caller.user_id, caller.access_key_id)
        self._proof = Proof(identity, ProofSource.CACHE)

    def recall(self, token: str) -> Proof:
        return self._proof

    async def ask(self, question: object) -> Proof:
        raise AssertionError("all is recalled")

    def remember_login(self, identity: CallerIdentity) -> None:
        pass


async def _instance_name(identity: CallerIdentity) -> str:
    """Names every instance after its id, as the oracle does."""
    session = identity.arn.session
    if not session.startswith("i-") or session.startswith("i-dead"):
        raise UnknownUser("no such instance")
    return f"{session}.ec2.internal"
