"""The verb `token --jwt`: asked of the AWS double, kept, and refused in words that help."""

import asyncio
import base64
import functools
import hashlib
import json
import os
import socket
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import client
from client import command, jwt_claims, web_identity
from client.exec_credential import rfc3339
from dev.aws_double import AwsDouble, Principal
from dev.aws_double.faults import Close, Fail, Hang, Rubbish, Throttle
from dev.aws_double.federation import NAMESPACE, Permission
from dev.aws_double.principals import assumed_role, sso_role_name, temporary, user
from dev.aws_double.sso import SsoSession
from dev.aws_double.trust import Role
from tests.authenticator.aws.fronts import Front
from tests.client.running import Outcome, Run, python

ACCOUNT = "111122223333"
ALICE = user(ACCOUNT, "alice", path="team/")
BOB = user(ACCOUNT, "bob")
SESSION = assumed_role(ACCOUNT, "ci", "build-1")
DEV = Role(f"arn:aws:iam::{ACCOUNT}:role/team/Dev", frozenset({ALICE.arn}))
STRANGER = user("444455556666", "mallory")
AUDIENCE = "urn:k8s-aws:c"
LOGIN = SsoSession(
    access_token="access-1",
    refresh_token="refresh-1",
    user_name="carol@example.com",
    assignments=frozenset({(ACCOUNT, "Developer")}),
    expires_at=time.time() + 3600,
)
START_URL = "https://example.awsapps.com/start"
SSO = (
    f"[profile me]\nsso_start_url = {START_URL}\nsso_region = eu-west-1\n"
    f"sso_account_id = {ACCOUNT}\nsso_role_name = Developer\n"
)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsDouble]:
    principals = [ALICE, BOB, SESSION, STRANGER]
    with AwsDouble(principals, roles=[DEV], sso_sessions=[LOGIN]) as double:
        double.federation.enable(ACCOUNT)
        for name, value in {**double.environment(), "AWS_REGION": "eu-west-1"}.items():
            monkeypatch.setenv(name, value)
        yield double


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Callable[[Principal], None]:
    def become(principal: Principal) -> None:
        monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
        for name, value in principal.environment().items():
            monkeypatch.setenv(name, value)

    return become


@pytest.fixture
def alice(aws: AwsDouble, become: Callable[[Principal], None]) -> AwsDouble:
    become(ALICE)
    return aws


def printed(outcome: Outcome) -> tuple[str, dict[str, object]]:
    """The token of a run that went well, and the status that kubectl reads."""
    assert (outcome.code, outcome.err) == (0, "")
    status: dict[str, object] = json.loads(outcome.out)["status"]
    return str(status["token"]), status


def verified(aws: AwsDouble, token: str, audience: str = AUDIENCE) -> dict[str, object]:
    """The claims, verified by PyJWT with the keys that the issuer publishes."""
    issuer = aws.federation.find(ACCOUNT)
    assert issuer is not None
    kid = jwt.get_unverified_header(token)["kid"]
    [jwk] = [key for key in issuer.jwks()["keys"] if key["kid"] == kid]
    claims: dict[str, object] = jwt.decode(
        token, jwt.PyJWK(jwk, "RS256"), ["RS256"], audience=audience, issuer=issuer.url
    )
    return claims


def asked(aws: AwsDouble) -> int:
    return aws.calls.counts().by_action["GetWebIdentityToken"]


class TestTokens:
    def test_a_user(self, alice: AwsDouble, run: Run) -> None:
        before = time.time()
        token, status = printed(run("-i c --jwt"))

        claims = verified(alice, token)
        assert claims["sub"] == ALICE.arn
        assert claims["exp"] - claims["iat"] == 900
        # A minute early, for clocks and the way to the API server.
        ends = [rfc3339(before + 840 + late) for late in range(5)]
        assert status["expirationTimestamp"] in ends

    def test_a_role(self, alice: AwsDouble, run: Run) -> None:
        token, _ = printed(run(f"-i c --jwt -r {DEV.arn}"))

        assert verified(alice, token)["sub"] == DEV.arn

    def test_an_identity_center_user(
        self, aws: AwsDouble, files: Callable[..., None], home: Path
    ) -> None:
        files(SSO, profile="me")
        login = {
            "startUrl": START_URL,
            "region": "eu-west-1",
            "accessToken": LOGIN.access_token,
            "expiresAt": rfc3339(LOGIN.expires_at),
        }
        cache = home / ".aws" / "sso" / "cache"
        cache.mkdir(parents=True)
        name = hashlib.sha1(START_URL.encode()).hexdigest()  # as the AWS CLI names it
        (cache / f"{name}.json").write_text(json.dumps(login))

        # botocore reads HOME once for each process.
        token, _ = printed(python("-m", "client", "token", "-i", "c", "--jwt"))

        claims = verified(aws, token)
        assert str(claims["sub"]).endswith(f"/{sso_role_name(ACCOUNT, 'Developer')}")
        assert "/aws-reserved/sso.amazonaws.com/" in str(claims["sub"])
        assert claims[NAMESPACE]["identity_store_user_id"]

    def test_another_audience(self, alice: AwsDouble, run: Run) -> None:
        token, _ = printed(run("--jwt --audience https://k8s.example.com"))

        assert verified(alice, token, "https://k8s.example.com")

    def test_the_bare_token(self, alice: AwsDouble, run: Run) -> None:
        outcome = run("-i c --jwt --token-only")

        assert verified(alice, outcome.out.strip())

    def test_by_variable_and_not_with_a_flag_that_says_no(
        self, alice: AwsDouble, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_IAM_AUTHENTICATOR_TOKEN", "jwt")
        assert verified(alice, printed(run("-i c"))[0])
        assert printed(run("-i c --jwt=false"))[0].startswith("k8s-aws-v1.")
        monkeypatch.setenv("AWS_IAM_AUTHENTICATOR_TOKEN", "presigned")
        assert printed(run("-i c"))[0].startswith("k8s-aws-v1.")
        assert verified(alice, printed(run("-i c --jwt"))[0])

    @pytest.mark.parametrize("how", ["legacy", "aws-global"])
    def test_the_global_endpoint_is_never_asked(
        self, alice: AwsDouble, run: Run, monkeypatch: pytest.MonkeyPatch, how: str
    ) -> None:
        """It has no JWTs; a presigned token is for it where the settings say so."""
        if how == "legacy":
            monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "legacy")
        else:
            monkeypatch.setenv("AWS_REGION", "aws-global")
        assert verified(alice, printed(run("-i c --jwt"))[0])
        region = "eu-west-1" if how == "legacy" else "us-east-1"
        assert alice.calls.counts().by_host == {f"sts.{region}.amazonaws.com": 1}

    def test_without_botocore(self, alice: AwsDouble, run: Run) -> None:
        """The single file works where botocore is not installed."""
        program = (
            "import sys; sys.modules['botocore'] = None; from client import command;"
            "sys.exit(command.main(['-i', 'c', '--jwt', '--token-only']))"
        )
        outcome = python("-c", program)
        assert outcome.err == ""
        assert verified(alice, outcome.out.strip())


class TestLifetime:
    def test_ends_with_the_session(
        self,
        aws: AwsDouble,
        become: Callable[[Principal], None],
        run: Run,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        ends = int(time.time()) + 300
        session = temporary(SESSION.arn, SESSION.user_id, expires_at=ends, fresh=True)
        aws.principals.add(session)
        become(session)
        monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", rfc3339(ends))

        claims = verified(aws, printed(run("-i c --jwt"))[0])

        assert ends - 30 < claims["exp"] <= ends
        assert asked(aws) == 1

    def test_of_a_session_whose_end_is_unknown(
        self, aws: AwsDouble, become: Callable[[Principal], None], run: Run
    ) -> None:
        """STS knows it, and refuses a token that would outlive the session."""
        session = temporary(SESSION.arn, SESSION.user_id, expires_at=time.time() + 200, fresh=True)
        aws.principals.add(session)
        become(session)

        claims = verified(aws, printed(run("-i c --jwt"))[0])

        assert claims["exp"] - claims["iat"] == 60
        assert asked(aws) == 3

    def test_of_a_session_that_ends_now(
        self, aws: AwsDouble, become: Callable[[Principal], None], run: Run
    ) -> None:
        session = temporary(SESSION.arn, SESSION.user_id, expires_at=time.time() + 30, fresh=True)
        aws.principals.add(session)
        become(session)

        refusal = run("-i c --jwt").refusal()

        assert "SessionDurationEscalationException" in refusal
        assert "renew the credentials, which end in less than a minute" in refusal


class TestCache:
    def test_the_next_run_asks_nothing(self, alice: AwsDouble, run: Run, home: Path) -> None:
        first = run("-i c --jwt")
        second = run("-i c --jwt")

        assert printed(first) == printed(second)
        assert asked(alice) == 1
        [file] = (home / ".kube/cache/aws-iam-authenticator/credentials.yaml.d").glob("*[!k]")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def test_nor_does_that_of_a_role(self, alice: AwsDouble, run: Run) -> None:
        for _ in range(2):
            printed(run(f"-i c --jwt -r {DEV.arn}"))

        counts = alice.calls.counts().by_action
        assert (counts["AssumeRole"], counts["GetWebIdentityToken"]) == (1, 1)

    @pytest.mark.parametrize(
        "change", ["cluster", "audience", "caller", "role", "region", "session"]
    )
    def test_a_token_serves_nothing_else(
        self,
        alice: AwsDouble,
        run: Run,
        become: Callable[[Principal], None],
        change: str,
    ) -> None:
        lines = {
            "cluster": "-i d --jwt",
            "audience": "-i c --jwt --audience x",
            "role": f"-i c --jwt -r {DEV.arn}",
            "region": "-i c --jwt --region eu-west-2",
        }
        first, _ = printed(run("-i c --jwt"))
        if change == "caller":
            become(BOB)
        elif change == "session":
            become(SESSION)
        second, _ = printed(run(lines.get(change, "-i c --jwt")))
        assert first != second
        assert asked(alice) == 2
        # Nor has the second one taken the first one's place.
        become(ALICE)
        assert printed(run("-i c --jwt"))[0] == first

    def test_no_cache(self, alice: AwsDouble, run: Run, home: Path) -> None:
        for _ in range(2):
            printed(run("-i c --jwt --no-cache"))

        assert asked(alice) == 2
        assert not (home / ".kube").exists()

    def test_one_that_ends_soon_is_replaced(self, alice: AwsDouble, run: Run, home: Path) -> None:
        first, _ = printed(run("-i c --jwt"))
        [file] = (home / ".kube/cache/aws-iam-authenticator/credentials.yaml.d").glob("*[!k]")
        *lines, _ = file.read_text().splitlines()
        file.write_text("\n".join([*lines, f"{time.time() + 59:.0f}", ""]))

        second, _ = printed(run("-i c --jwt"))

        assert first != second

    @pytest.mark.parametrize(
        "damage",
        [
            "",
            "x",
            "aws-iam-authenticator jwt 1\na.b.c\n9999999999",
            'aws-iam-authenticator jwt 1\na".b.c\n9999999999\n',
            "aws-iam-authenticator jwt 1\na.b.c\n9_9\n",
            "aws-iam-authenticator jwt 2\na.b.c\n9999999999\n",
            "aws-iam-authenticator jwt 1\na.b.c\n9999999999\n\n",
        ],
    )
    @pytest.mark.usefixtures("at_terminal")
    def test_a_damaged_file_is_replaced(
        self, alice: AwsDouble, run: Run, home: Path, damage: str
    ) -> None:
        first, _ = printed(run("-i c --jwt"))
        [file] = (home / ".kube/cache/aws-iam-authenticator/credentials.yaml.d").glob("*[!k]")
        file.write_text(damage)

        outcome = run("-i c --jwt")

        assert outcome.code == 0
        assert bool(outcome.err) == bool(damage)
        token = json.loads(outcome.out)["status"]["token"]
        assert token != first
        assert verified(alice, token)
        assert token in file.read_text()

    @pytest.mark.usefixtures("at_terminal")
    def test_a_file_that_others_can_read_is_not_used(
        self, alice: AwsDouble, run: Run, home: Path
    ) -> None:
        first, _ = printed(run("-i c --jwt"))
        [file] = (home / ".kube/cache/aws-iam-authenticator/credentials.yaml.d").glob("*[!k]")
        file.chmod(0o644)

        outcome = run("-i c --jwt")

        assert "others may use it (mode 0644)" in outcome.err
        assert first not in outcome.out
        assert first not in outcome.err

    @pytest.mark.usefixtures("at_terminal")
    def test_a_file_in_a_directory_that_others_can_write_to_is_not_used(
        self, alice: AwsDouble, run: Run, home: Path
    ) -> None:
        first, _ = printed(run("-i c --jwt"))
        (home / ".kube/cache/aws-iam-authenticator/credentials.yaml.d").chmod(0o777)

        outcome = run("-i c --jwt")

        assert "others may write to its directory" in outcome.err
        assert first not in outcome.out

    def test_loads_little_from_the_cache(self, alice: AwsDouble, run: Run) -> None:
        """Two modules in addition to those of a presigned token."""
        printed(run("-i c --jwt"))
        program = """
import sys
before = {*sys.modules}
from client import command
code = command.main(sys.argv[1:])
loaded = {*sys.modules} - before
import json
print(json.dumps(sorted(loaded)), file=sys.stderr)
"""
        presigned = python("-c", program, "-i", "c")
        kept = python("-c", program, "-i", "c", "--jwt")
        assert '"token":"ey' in kept.out
        added = {*json.loads(kept.err)} - {*json.loads(presigned.err)}
        assert added == {"client.cache", "client.jwt_token"}


class TestRefusals:
    def test_federation_is_not_enabled(self, alice: AwsDouble, run: Run) -> None:
        alice.federation.disable(ACCOUNT)

        refusal = run("-i c --jwt").refusal()

        assert "OutboundWebIdentityFederationDisabledException" in refusal
        assert "`aws iam enable-outbound-web-identity-federation`" in refusal
        assert "leave out --jwt" in refusal

    def test_iam_policy_does_not_allow_it(self, alice: AwsDouble, run: Run) -> None:
        alice.federation.permit(ALICE.arn, Permission(frozenset({"urn:k8s-aws:other"})))

        refusal = run("-i c --jwt").refusal()

        assert f"User: {ALICE.arn} is not authorized to perform: sts:GetWebIdentityToken" in refusal
        assert "allow sts:GetWebIdentityToken" in refusal
        assert "sts:IdentityTokenAudience is urn:k8s-aws:c" in refusal

    def test_an_unknown_key(
        self, aws: AwsDouble, become: Callable[[Principal], None], run: Run
    ) -> None:
        become(user(ACCOUNT, "nobody"))

        assert "InvalidClientTokenId" in run("-i c --jwt").refusal()

    def test_no_refusal_holds_a_secret(self, aws: AwsDouble, run: Run) -> None:
        secret = SESSION.secret_access_key
        os.environ.update(SESSION.environment())
        try:
            os.environ["AWS_SECRET_ACCESS_KEY"] = "x" + secret
            refusal = run("-i c --jwt").refusal()
        finally:
            for name in SESSION.environment():
                os.environ.pop(name)
        assert "SignatureDoesNotMatch" in refusal
        assert secret not in refusal
        assert SESSION.session_token not in refusal

    @pytest.mark.parametrize("fault", [Fail(503), Throttle(rate=1000, burst=0), Close()])
    def test_what_passes_is_tried_again(
        self, alice: AwsDouble, run: Run, fault: Fail | Throttle | Close
    ) -> None:
        alice.faults.start(fault, times=2)

        assert verified(alice, printed(run("-i c --jwt"))[0])

    def test_an_outage_is_named(
        self, alice: AwsDouble, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
        alice.faults.start(Fail(503))

        assert "ServiceUnavailable" in run("-i c --jwt").refusal()
        assert asked(alice) == 2

    @pytest.mark.parametrize("kind", ["html", "empty", "truncated", "huge", "not-utf-8"])
    def test_rubbish_is_told(self, alice: AwsDouble, run: Run, kind: str) -> None:
        alice.faults.start(Rubbish(kind))

        refusal = run("-i c --jwt").refusal()

        assert "answers 200, and not as STS does" in refusal

    def test_nothing_listens(
        self, alice: AwsDouble, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://me:hidden@127.0.0.1:{port}")

        refusal = run("-i c --jwt").refusal()

        assert refusal.startswith("cannot reach sts.eu-west-1.amazonaws.com: ")
        assert "HTTPS_PROXY" in refusal
        assert "hidden" not in refusal

    def test_an_authority_that_is_not_trusted(
        self, alice: AwsDouble, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        with AwsDouble(state_dir=tmp_path) as other:
            monkeypatch.setenv("AWS_CA_BUNDLE", str(other.ca_bundle))
            refusal = run("-i c --jwt").refusal()

        assert "check AWS_CA_BUNDLE, or what intercepts TLS on the way" in refusal

    @pytest.mark.parametrize("content", [None, "no certificate"])
    def test_a_ca_bundle_that_cannot_be_read(
        self,
        alice: AwsDouble,
        run: Run,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        content: str | None,
    ) -> None:
        bundle = tmp_path / "bundle.pem"
        if content is not None:
            bundle.write_text(content)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))

        assert f"cannot read the CA bundle {bundle}" in run("-i c --jwt").refusal()

    def test_an_empty_ca_bundle_does_not_switch_verification_off(
        self, alice: AwsDouble, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
            monkeypatch.setenv(name, "")
        monkeypatch.delenv("SSL_CERT_FILE")

        assert "intercepts TLS on the way" in run("-i c --jwt").refusal()

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("--jwt", "no cluster id"),
            (f"--jwt --audience {'x' * 1001}", "1 to 1000 printable characters"),
            ("-i c --jwt --only-temporary", "are a long-lived access key"),
        ],
    )
    @pytest.mark.usefixtures("alice")
    def test_wrong_flags(self, run: Run, line: str, words: str) -> None:
        assert words in run(line).refusal()

    def test_an_audience_without_a_jwt(self, run: Run) -> None:
        refusal = run("-i c --audience x").refusal(code=2)

        assert "--audience is that of a JWT; add --jwt" in refusal

    @pytest.mark.usefixtures("alice")
    def test_wrong_variables(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "many")
        assert (
            "AWS_MAX_ATTEMPTS (max_attempts in the profile) is 'many'"
            in run("-i c --jwt").refusal()
        )
        monkeypatch.setenv("AWS_IAM_AUTHENTICATOR_TOKEN", "yes")
        assert (
            "AWS_IAM_AUTHENTICATOR_TOKEN is 'yes'; set it to presigned or jwt"
            in run("-i c").refusal()
        )


def test_a_proxy_that_asks_for_a_password(
    alice: AwsDouble, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy gets the pair of its URL, decoded; the double takes any."""
    heads: list[bytes] = []
    authority = alice.proxy_url.removeprefix("http://")
    host, _, port = authority.partition(":")
    with socket.create_server(("127.0.0.1", 0)) as server:
        own = server.getsockname()[1]

        def relay() -> None:
            inner, _ = server.accept()
            outer = socket.create_connection((host, int(port)))
            head = inner.recv(4096)
            heads.append(head)
            outer.sendall(head)

            def pump(source: socket.socket, target: socket.socket) -> None:
                while data := source.recv(65536):
                    target.sendall(data)
                target.shutdown(socket.SHUT_WR)

            back = Thread(target=pump, args=(outer, inner))
            back.start()
            pump(inner, outer)
            back.join()
            inner.close()
            outer.close()

        thread = Thread(target=relay)
        thread.start()
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://us%40er:p%3Ass@127.0.0.1:{own}")
        token, _ = printed(run("-i c --jwt"))
        thread.join()
    assert verified(alice, token)
    [head] = heads
    pair = base64.b64encode(b"us@er:p:ss").decode()
    assert f"Proxy-Authorization: Basic {pair}\r\n".encode() in head


def test_a_proxy_that_speaks_tls_is_left_to_botocore(
    alice: AwsDouble, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    front = Front(alice, tmp_path)

    async def ask() -> Outcome:
        async with front.proxy("https") as proxy:
            for name in ("HTTPS_PROXY", "https_proxy"):
                monkeypatch.setenv(name, f"https://localhost:{proxy.port}")
            monkeypatch.setenv("AWS_CA_BUNDLE", str(front.bundle))
            return await asyncio.to_thread(run, "-i c --jwt")

    token, _ = printed(asyncio.run(ask()))
    assert verified(alice, token)
    assert front.asked


def test_a_socks_proxy_is_refused_in_words(
    alice: AwsDouble, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")

    assert "HTTPS_PROXY names a SOCKS proxy" in run("-i c --jwt").refusal()
    assert asked(alice) == 0


class TestSettingsOfTheProfile:
    def test_its_ca_bundle(
        self,
        aws: AwsDouble,
        run: Run,
        files: Callable[..., None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE"):
            monkeypatch.delenv(name)
        files(f"[profile me]\nca_bundle = {aws.ca_bundle}\n", ALICE.profile("me"), "me")

        assert verified(aws, printed(run("-i c --jwt"))[0])

    def test_its_number_of_attempts(
        self, aws: AwsDouble, run: Run, files: Callable[..., None]
    ) -> None:
        files("[profile me]\nmax_attempts = 2\n", ALICE.profile("me"), "me")
        aws.faults.start(Fail(503))

        assert "ServiceUnavailable" in run("-i c --jwt").refusal()
        assert asked(aws) == 2

    def test_a_python_without_certificates_uses_those_of_botocore(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As on macOS, where OpenSSL's own folder is empty."""
        none = ssl.DefaultVerifyPaths(None, None, "", "", "", "")
        monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: none)
        monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda *_: None)
        monkeypatch.setattr(ssl.SSLContext, "set_default_verify_paths", lambda *_: None)

        context = web_identity.tls({})

        assert context.cert_store_stats()["x509_ca"] > 50
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname


def test_many_kubectls_at_once_ask_once(alice: AwsDouble) -> None:
    command_line = [sys.executable, "-m", "client", "token", "-i", "c", "--jwt", "--token-only"]
    environ = {**os.environ, "PYTHONPATH": str(Path(client.__file__).parents[1])}
    # The first one's answer is held back while the others start.
    alice.faults.start(Hang())
    running = [
        subprocess.Popen(command_line, env=environ, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    alice.calls.wait(lambda counts: counts.by_action["GetWebIdentityToken"] == 1)
    alice.faults.stop_all()
    tokens = {process.communicate()[0] for process in running}

    assert [process.returncode for process in running] == [0] * 4
    [token] = tokens
    assert verified(alice, token.strip())
    assert asked(alice) == 1


@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", fullmatch=True))
def test_no_text_makes_anything_but_our_errors(text: str) -> None:
    try:
        jwt_claims.read(text)
    except client.ClientError:
        pass
    else:
        raise AssertionError(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda child: st.lists(child) | st.dictionaries(st.text(), child),
    )
    | st.fixed_dictionaries(
        {},
        optional={
            name: st.integers() | st.text() | st.booleans() | st.dictionaries(st.text(), st.text())
            for name in ("iat", "exp", "iss", "sub", "aud", NAMESPACE)
        },
    )
)
def test_no_claims_make_anything_but_our_errors(claims: object) -> None:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    try:
        found = jwt_claims.read(f"e30.{payload}.e30")
    except client.ClientError:
        return
    assert {type(found["iat"]), type(found["exp"])} == {int}
    assert jwt_claims.summary(found)["audience"] == ", ".join(jwt_claims.audiences(found))


class TestLibrary:
    @pytest.mark.usefixtures("alice")
    def test_mints_and_keeps(self, alice: AwsDouble) -> None:
        first = client.mint_jwt("c")
        assert verified(alice, first.value)["sub"] == ALICE.arn
        assert client.mint_jwt("c").value == first.value
        assert client.mint_jwt("c", region="eu-west-1", reuse=False).value != first.value

    def test_a_provider_gets_another_token_after_a_refusal(self, alice: AwsDouble) -> None:
        provider = client.TokenProvider(functools.partial(client.mint_jwt, "c", reuse=False))
        first = provider.get()
        assert provider.get() == first
        provider.reject(first)
        assert provider.get() != first

    def test_a_refusal_is_a_client_error(self, alice: AwsDouble) -> None:
        alice.federation.disable(ACCOUNT)
        with pytest.raises(client.ClientError, match="enable-outbound-web-identity-federation"):
            client.mint_jwt("c")


def test_the_flag_and_the_variable_are_in_the_help(run: Run) -> None:
    out = run("--help").out
    for word in ("--jwt", "--audience", command.KIND_VARIABLE):
        assert word in out
