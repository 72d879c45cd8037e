"""Sessions are asked for once, and kept where nobody else can read or plant them."""

import json
import os
import shutil
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from client import cache
from client.roles import Role
from client.sessions import Sessions
from client.token import Surroundings
from tests.client.running import PREFIX, Outcome, Run, python
from tests.client.sts import KEYS, ROLE, Sts, at, url_of
from tests.client.test_imports import ALLOWED, PROGRAM

LINE = f"-i c --region eu-west-1 -r {ROLE}"


@pytest.fixture
def place(home: Path) -> Path:
    return home / ".kube" / "cache" / "aws-iam-authenticator" / "credentials.yaml.d"


def kept(place: Path) -> list[Path]:
    return [file for file in place.iterdir() if file.suffix != ".lock"]


@pytest.mark.usefixtures("keys")
class TestRole:
    def test_is_assumed_once(self, run: Run, sts: Sts) -> None:
        first, second = url_of(run(LINE)), url_of(run(LINE))

        assert len(sts.asked) == 1
        for url in (first, second):
            assert "ASIAROLE" in url
            assert "X-Amz-Security-Token=role-token" in url

    @pytest.mark.parametrize("flags", [[], ["--cache"]], ids=["ours", "shared"])
    def test_needs_no_botocore_the_second_time(self, flags: list[str], run: Run, sts: Sts) -> None:
        program = PROGRAM.format(
            module="client.command",
            function="start",
            arguments=[],
            parameter=["-i", "c", "-r", ROLE, *flags],
        )
        url_of(run(f"-i c -r {ROLE}"))

        outcome = python("-c", program)

        code, loaded = json.loads(outcome.err)
        assert code == 0
        assert set(loaded) == ALLOWED | {"client.cache", "client.roles", "client.sessions"}

    @pytest.mark.parametrize(
        "line",
        [
            f"{LINE}2",
            f"{LINE} -e external",
            f"{LINE} -s me",
            f"{LINE} --duration 900",
            f"{LINE} --forward-session-name",
            f"-i c --region eu-west-2 -r {ROLE}",
            f"{LINE} --profile me",
        ],
        ids=["role", "external id", "name", "duration", "forwarded name", "region", "profile"],
    )
    def test_is_another_ones_with_other_words(
        self, line: str, run: Run, sts: Sts, files: Callable[..., None]
    ) -> None:
        files(credentials=f"[me]\n{KEYS}")
        url_of(run(LINE))
        sts.asked.clear()

        url_of(run(line))

        assert "AssumeRole" in [asked["Action"] for asked in sts.asked]

    def test_is_the_same_for_every_cluster(self, run: Run, sts: Sts) -> None:
        url_of(run(LINE))
        url_of(run(LINE.replace("-i c", "-i d")))

        assert len(sts.asked) == 1

    def test_is_another_ones_with_other_keys(
        self, run: Run, sts: Sts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url_of(run(LINE))
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOTHER")
        url_of(run(LINE))

        assert len(sts.asked) == 2

    @pytest.mark.parametrize("name", ["config", "credentials"])
    def test_is_asked_for_anew_after_an_edit(
        self, name: str, run: Run, sts: Sts, files: Callable[..., None], home: Path
    ) -> None:
        files()
        url_of(run(LINE))
        (home / ".aws" / name).write_text("[default]\nregion = eu-west-1\n")
        url_of(run(LINE))

        assert len(sts.asked) == 2

    def test_is_asked_for_anew_after_a_logout(self, run: Run, sts: Sts, home: Path) -> None:
        logins = home / ".aws" / "sso" / "cache"
        logins.mkdir(parents=True)
        (logins / "login.json").touch()
        url_of(run(LINE))
        (logins / "login.json").unlink()
        os.utime(logins, (1, 1))
        url_of(run(LINE))

        assert len(sts.asked) == 2

    @pytest.mark.parametrize("moved", [False, True], ids=["SSO", "aws login, moved"])
    def test_is_asked_for_anew_after_a_login_that_overwrites(
        self, moved: bool, run: Run, sts: Sts, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not every program replaces the file: the directory then stays as it was."""
        logins = home / ("logins" if moved else ".aws/sso/cache")
        monkeypatch.setenv("AWS_LOGIN_CACHE_DIRECTORY", str(home / "logins"))
        logins.mkdir(parents=True)
        (logins / "login.json").touch()
        url_of(run(LINE))
        os.utime(logins / "login.json", (1, 1))
        url_of(run(LINE))

        assert len(sts.asked) == 2

    @pytest.mark.parametrize(("lifetime", "asked"), [(90, 1), (50, 2), (-5, 2)])
    def test_is_asked_for_anew_shortly_before_it_ends(
        self, lifetime: float, asked: int, run: Run, sts: Sts
    ) -> None:
        sts.lifetime = lifetime
        run(LINE)
        run(LINE)

        assert len(sts.asked) == asked

    def test_is_not_kept_if_told_so(self, run: Run, sts: Sts, home: Path) -> None:
        url_of(run(f"{LINE} --no-cache"))
        url_of(run(f"{LINE} --no-cache"))

        assert len(sts.asked) == 2
        assert not (home / ".kube").exists()

    def test_is_kept_where_told(
        self, run: Run, sts: Sts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "elsewhere"))

        url_of(run(LINE))

        assert kept(tmp_path / "elsewhere.d")
        assert not (tmp_path / ".kube").exists()

    def test_only_we_can_read_it(self, run: Run, sts: Sts, place: Path) -> None:
        previous = os.umask(0)
        try:
            url_of(run(LINE))
        finally:
            os.umask(previous)

        assert place.stat().st_mode & 0o777 == 0o700
        assert {file.stat().st_mode & 0o777 for file in place.iterdir()} == {0o600}
        assert len(kept(place)) == 1


def damage(change: Callable[[str], str]) -> Callable[[Path], None]:
    return lambda file: file.write_text(change(file.read_text())) and None


def link(file: Path) -> None:
    target = file.rename(file.with_name("target"))
    file.symlink_to(target)


def fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


def directory(file: Path) -> None:
    file.unlink()
    file.mkdir(0o700)


# What was done to the file, and what people read of it.
TAMPERING: dict[str, tuple[Callable[[Path], object], str]] = {
    "readable by the group": (lambda file: file.chmod(0o640), "others may use it (mode 0640)"),
    "writable by others": (lambda file: file.chmod(0o602), "others may use it (mode 0602)"),
    "symbolic link": (link, "it is a symbolic link"),
    "FIFO": (fifo, "it is not a regular file"),
    "directory": (directory, "it is not a regular file"),
    "cut off": (damage(lambda text: text[:60]), "it is damaged"),
    "without its last newline": (damage(lambda text: text[:-1]), "it is damaged"),
    "one line too many": (damage(lambda text: text + "x\n"), "it is damaged"),
    "another version": (damage(lambda text: text.replace(" 1\n", " 2\n")), "it is damaged"),
    "an end that is none": (
        damage(lambda text: text.replace("\n17", "\n-17").replace("\n18", "\n-18")),
        "it is damaged",
    ),
    "an access key that is none": (
        damage(lambda text: text.replace("ASIAROLE", "ASIA/ROLE")),
        "it is damaged",
    ),
    "no text": (lambda file: file.write_bytes(b"\xff\xfe"), "it is damaged"),
    "endless": (lambda file: file.write_text("x" * 70000), "it is too large"),
}


@pytest.mark.usefixtures("keys")
@pytest.mark.usefixtures("at_terminal")
class TestTampering:
    @pytest.mark.parametrize(("tamper", "reason"), TAMPERING.values(), ids=TAMPERING.keys())
    def test_is_ignored_with_a_warning(
        self,
        tamper: Callable[[Path], object],
        reason: str,
        run: Run,
        sts: Sts,
        place: Path,
    ) -> None:
        url_of(run(LINE))
        [file] = kept(place)
        tamper(file)

        outcome = run(LINE)

        assert len(sts.asked) == 2
        warnings = outcome.err.splitlines()
        assert warnings[0] == (
            f"{PREFIX}ignoring the cached credentials in {file}: {reason}; remove the file"
        )
        assert "ASIAROLE" in url_of(Outcome(outcome.code, outcome.out, ""))
        assert "role-token" not in outcome.err

    def test_in_a_directory_that_others_can_write_to_is_ignored(
        self, run: Run, sts: Sts, place: Path
    ) -> None:
        """Another user could give the file of one role the name of another role's."""
        url_of(run(LINE))
        url_of(run(f"{LINE}2"))
        [one, other] = kept(place)
        names = one.name, other.name
        place.chmod(0o777)
        one.rename(place / "x")
        other.rename(place / names[0])
        (place / "x").rename(place / names[1])

        outcome = run(LINE)

        assert len(sts.asked) == 3
        assert "others may write to its directory" in outcome.err

    def test_of_another_owner_is_ignored(
        self, run: Run, sts: Sts, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url_of(run(LINE))
        mine = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: mine + 1)

        outcome = run(LINE)

        assert outcome.code == 0
        assert "it belongs to another user" in outcome.err
        assert len(sts.asked) == 2

    def test_a_damaged_file_is_replaced(self, run: Run, sts: Sts, place: Path) -> None:
        url_of(run(LINE))
        [file] = kept(place)
        file.write_text("rubbish")
        run(LINE)

        url_of(run(LINE))

        assert len(sts.asked) == 2

    def test_a_link_is_replaced_and_its_target_left(
        self, run: Run, sts: Sts, place: Path, tmp_path: Path
    ) -> None:
        url_of(run(LINE))
        [file] = kept(place)
        target = tmp_path / "target"
        target.write_text("precious")
        file.unlink()
        file.symlink_to(target)

        run(LINE)

        assert target.read_text() == "precious"
        assert not file.is_symlink()

    @pytest.mark.parametrize(
        ("make", "reason"),
        [
            (
                lambda place: place.mkdir(parents=True) or place.chmod(0o777),
                "others may write to {}",
            ),
            (lambda place: place.parent.mkdir(parents=True) or place.touch(), "{}: File exists"),
        ],
        ids=["open to others", "a file"],
    )
    def test_a_directory_that_is_not_ours_is_not_used(
        self, make: Callable[[Path], object], reason: str, run: Run, sts: Sts, place: Path
    ) -> None:
        make(place)

        outcome = run(LINE)

        assert outcome.code == 0
        assert f"caching no credentials: {reason.format(place)}" in outcome.err
        assert not place.is_dir() or not kept(place)


@pytest.mark.usefixtures("keys")
def test_a_system_without_posix_keeps_them_too(
    run: Run, sts: Sts, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows has neither owners and modes of this kind nor flock."""
    taken: list[tuple[int, int]] = []
    windows = types.ModuleType("msvcrt")
    windows.LK_NBLCK = 1
    windows.locking = lambda _, mode, size: taken.append((mode, size))
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    monkeypatch.delattr(os, "geteuid")

    url_of(run(LINE))
    url_of(run(LINE))

    assert len(sts.asked) == 1
    assert taken == [(1, 1)]


def test_sessions_that_ended_long_ago_are_removed(
    keys: None, run: Run, sts: Sts, place: Path
) -> None:
    url_of(run(LINE))
    [old] = kept(place)
    os.utime(old, (time.time() - 90000,) * 2)

    url_of(run(f"{LINE}2"))

    assert old not in kept(place)


def test_what_others_keep_in_the_directory_stays(
    keys: None, run: Run, sts: Sts, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_IAM_AUTHENTICATOR_CACHE_FILE", str(home / ".bashrc"))
    theirs = home / ".bashrc.d" / "aliases"
    theirs.parent.mkdir(mode=0o700)
    theirs.touch()
    os.utime(theirs, (time.time() - 90000,) * 2)

    url_of(run(LINE))

    assert theirs.exists()


class TestProfile:
    def test_with_a_role_asks_once(self, run: Run, sts: Sts, files: Callable[..., None]) -> None:
        files(f"[profile me]\nrole_arn = {ROLE}\nsource_profile = base\n", f"[base]\n{KEYS}", "me")

        url_of(run())
        url_of(run())

        assert len(sts.asked) == 1

    def test_with_a_role_and_one_on_top_asks_once_for_each(
        self, run: Run, sts: Sts, files: Callable[..., None]
    ) -> None:
        files(f"[profile me]\nrole_arn = {ROLE}\nsource_profile = base\n", f"[base]\n{KEYS}", "me")

        url_of(run(f"-i c -r {ROLE}2"))
        url_of(run(f"-i c -r {ROLE}3"))
        url_of(run(f"-i c -r {ROLE}2"))

        assert [asked["RoleArn"] for asked in sts.asked] == [ROLE, f"{ROLE}2", f"{ROLE}3"]

    @pytest.mark.parametrize("chained", [False, True], ids=["its own", "its source profile's"])
    def test_a_process_is_asked_each_time(
        self,
        chained: bool,
        run: Run,
        files: Callable[..., None],
        sts: Sts,
        place: Path,
    ) -> None:
        """Its answer can depend on anything, such as a variable that chooses the person."""
        home = Path.home()
        counter = home / "counter"
        answer = {
            "Version": 1,
            "AccessKeyId": "ASIAPROCESS",
            "SecretAccessKey": "s",
            "SessionToken": "t",
            "Expiration": at(3600),
        }
        script = home / "process.py"
        script.write_text(
            f"open({str(counter)!r}, 'a').write('x')\nprint({json.dumps(json.dumps(answer))})"
        )
        process = f"credential_process = {sys.executable} {script}\n"
        if chained:
            role = f"[profile me]\nrole_arn = {ROLE}\nsource_profile = base\n"
            files(f"{role}[profile base]\n{process}", profile="me")
        else:
            files(f"[profile me]\n{process}", profile="me")

        url_of(run())
        url_of(run())

        assert counter.read_text() == "xx"
        assert len(sts.asked) == 2 * chained
        assert not place.exists() or kept(place) == []


class TestFilesThatOnlyBotocoreReads:
    """Whoever is kept for the profile, the environment's credentials come first."""

    CONFIG = f"[default]\nrole_arn = {ROLE}\nsource_profile = base\nnote = a\n  b\n"

    def test_do_not_put_a_kept_session_before_the_environment(
        self,
        run: Run,
        sts: Sts,
        files: Callable[..., None],
        request: pytest.FixtureRequest,
    ) -> None:
        files(self.CONFIG, f"[base]\n{KEYS}".replace("AKIDEXAMPLE", "AKIDBASE"))
        assert "ASIAROLE" in url_of(run())

        request.getfixturevalue("keys")

        assert "AKIDEXAMPLE" in url_of(run())

    def test_do_not_mix_up_who_asks_for_a_role(
        self, run: Run, sts: Sts, files: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files(self.CONFIG, f"[base]\n{KEYS}")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
        for key in ("AKIDONE", "AKIDTWO"):
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
            url_of(run(LINE))

        assert len(sts.asked) == 2


def test_the_environments_credentials_are_not_taken_for_anothers(
    run: Run, keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An end that only botocore can read makes it find them, and them be kept."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "t")
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "Fri, 01 Jan 2100 00:00:00 GMT")
    url_of(run())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOTHER")

    assert "AKIDOTHER" in url_of(run())


def test_what_the_references_cache_serves_is_not_kept_for_runs_without_it(
    run: Run, sts: Sts, files: Callable[..., None], home: Path, place: Path
) -> None:
    """It may be the answer of a process, which another variable makes another person's."""
    answer = home / "answer.json"
    document = {
        "Version": 1,
        "AccessKeyId": "ASIAFIRST",
        "SecretAccessKey": "s",
        "SessionToken": "t",
        "Expiration": at(3600),
    }
    answer.write_text(json.dumps(document))
    role = f"[profile me]\nrole_arn = {ROLE}\nsource_profile = base\n"
    files(f"{role}[profile base]\ncredential_process = cat {answer}\n", profile="me")

    for _ in range(2):
        url_of(run("-i c --cache"))
        url_of(run(f"-i c --cache -r {ROLE}2"))

    assert not place.exists() or kept(place) == []
    answer.write_text(json.dumps({**document, "AccessKeyId": "ASIASECOND"}))
    asked = len(sts.asked)
    url_of(run("-i c"))
    assert len(sts.asked) == asked + 1


@pytest.mark.usefixtures("at_terminal")
@pytest.mark.parametrize("key", ["accesskeyid", "sessiontoken", "expires"])
def test_a_damaged_entry_of_the_references_cache_is_ignored(
    key: str, run: Run, sts: Sts, files: Callable[..., None], home: Path
) -> None:
    files(f"[profile me]\nrole_arn = {ROLE}\nsource_profile = base\n", f"[base]\n{KEYS}", "me")
    file = home / ".kube" / "cache" / "aws-iam-authenticator" / "credentials.yaml"
    url_of(run("-i c --cache"))
    shutil.rmtree(f"{file}.d")
    document = json.loads(file.read_text())
    document["clusters"]["c"]["me"][""][key] = 1
    file.write_text(json.dumps(document))

    outcome = run("-i c --cache")

    assert outcome.code == 0
    assert f"ignoring {file}: it is not as" in outcome.err


def edit(file: Path, **changes: object) -> None:
    document = json.loads(file.read_text())
    document["Credentials"].update(changes)
    file.write_text(json.dumps(document))


class TestTheCliCache:
    """A session that cost an MFA code in the AWS CLI serves us, and the other way round."""

    CONFIG = f"[profile me]\nrole_arn = {ROLE}\nsource_profile = base\nmfa_serial = telephone\n"

    @pytest.fixture(autouse=True)
    def code(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("client.botocore_chain._ask_for_code", lambda prompt: "123456")

    def test_serves_us(
        self, run: Run, sts: Sts, files: Callable[..., None], home: Path, place: Path
    ) -> None:
        files(self.CONFIG, f"[base]\n{KEYS}", "me")
        url_of(run())
        shutil.rmtree(place)

        assert "ASIAROLE" in url_of(run())

        assert len(sts.asked) == 1
        [theirs] = (home / ".aws" / "cli" / "cache").iterdir()
        assert theirs.stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize(
        "tamper",
        [
            lambda file: file.chmod(0o644),
            lambda file: file.write_text("{"),
            lambda file: edit(file, Expiration="soon"),
            lambda file: edit(file, Expiration="2100-01-01T00:00:00"),
            lambda file: edit(file, SessionToken=1),
            link,
            directory,
        ],
        ids=["open to others", "damaged", "no end", "no zone", "no text", "link", "directory"],
    )
    def test_is_distrusted_like_ours(
        self,
        tamper: Callable[[Path], object],
        run: Run,
        sts: Sts,
        files: Callable[..., None],
        home: Path,
    ) -> None:
        files(self.CONFIG, f"[base]\n{KEYS}", "me")
        url_of(run("-i c --no-cache"))
        [theirs] = (home / ".aws" / "cli" / "cache").iterdir()
        tamper(theirs)

        assert "ASIAROLE" in url_of(run("-i c --no-cache"))

        assert len(sts.asked) == 2


def test_parts_cannot_run_into_each_other() -> None:
    one = Role(ROLE, external_id="ab", session_name="")
    other = Role(ROLE, external_id="", session_name="ab")

    assert cache.path(one.parts(), {}) != cache.path(other.parts(), {})


def test_a_warning_goes_to_no_program(keys: None, run: Run, sts: Sts, home: Path) -> None:
    """fabric8 reads stderr as a part of stdout, and .NET takes any output there for a failure."""
    (home / ".kube").write_text("not a directory")

    outcome = run(LINE)

    assert (outcome.code, outcome.err) == (0, "")


class TestKey:
    """A session is found again only by a run whose every input is the same."""

    @pytest.mark.parametrize(
        "variable",
        [
            "AWS_ENDPOINT_URL",
            "AWS_ENDPOINT_URL_STS",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            "AWS_USE_FIPS_ENDPOINT",
            "AWS_ROLE_SESSION_NAME",
            "AWS_CA_BUNDLE",
        ],
    )
    def test_holds_every_variable_of_the_sdks(
        self, variable: str, keys: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = key()
        monkeypatch.setenv(variable, "true")

        assert key() != before

    def test_holds_the_web_identity_token(self, files: Callable[..., None], home: Path) -> None:
        token = home / "token"
        token.write_text("alice")
        files(f"[profile me]\nrole_arn = {ROLE}\nweb_identity_token_file = {token}\n", profile="me")
        before = key()
        token.write_text("bob")

        assert key() != before

    def test_holds_no_secret(self, keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
        before = key()
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
        monkeypatch.setenv("AWS_SESSION_TOKEN", "another")

        assert key() == before


def key() -> str:
    surroundings = Surroundings(None)
    sessions = Sessions(
        surroundings.ready,
        surroundings.botocore,
        profile=surroundings.profile,
        explicit=surroundings.explicit,
        settings=surroundings.settings,
        region="eu-west-1",
        region_named=True,
        caching=True,
        sharing=None,
        warn=print,
    )
    return cache.path(sessions._parts, os.environ)
