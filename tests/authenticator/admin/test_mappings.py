"""The verbs `mappings` on files, as somebody at a shell uses them."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from authenticator.admin.mappings.change import add_entry
from authenticator.admin.mappings.command import mappings
from authenticator.admin.mappings.edit import Manner
from authenticator.admin.stores.base import Conflict, StoreError
from authenticator.admin.stores.file import FileStore
from authenticator.admin.stores.history import History
from authenticator.editing.entry import MappingEntry
from authenticator.timestamps import parse_rfc3339

ADMIN = "arn:aws:iam::111122223333:role/Admin"
DEV = "arn:aws:iam::111122223333:role/Dev"
TEXT = f"""\
# who may enter
mapRoles:
  - rolearn: {ADMIN}  # ann
    username: admin
    groups: [system:masters]
"""
ADDED = f"  - rolearn: {DEV}\n    username: dev\n    groups:\n      - a\n      - b\n"
ADD = ["add", "role", f"--rolearn={DEV}", "--username=dev", "--groups=a,b"]
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mappings.yaml"
    path.write_text(TEXT)
    path.chmod(0o640)
    return path


@pytest.fixture
def run(file: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a verb on the file; gives the exit code, and what it says on both of its outputs."""

    def run_verb(*arguments: str) -> tuple[int, str]:
        code = mappings([*arguments, f"--source=file={file}"])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run_verb


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sit at a terminal, and answer questions."""

    def sit_down(word: str) -> None:
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: word)

    return sit_down


class TestAsking:
    def test_a_yes_writes(self, run: Run, file: Path, answer: Callable[[str], None]) -> None:
        answer("y")
        assert run(*ADD)[0] == 0
        assert file.read_text() == TEXT + ADDED

    def test_a_no_writes_nothing(self, run: Run, file: Path, answer: Callable[[str], None]) -> None:
        answer("n")
        assert run(*ADD)[0] == 130
        assert file.read_text() == TEXT

    def test_nobody_to_ask_writes_nothing(self, run: Run, file: Path) -> None:
        code, said = run(*ADD)
        assert (code, "--yes" in said) == (1, True)
        assert file.read_text() == TEXT

    def test_a_closed_input_is_nobody(
        self, run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "stdin", None)
        code, said = run(*ADD)
        assert (code, "--yes" in said) == (1, True)
        assert file.read_text() == TEXT

    def test_the_difference_is_shown(self, run: Run) -> None:
        _, said = run(*ADD, "--yes")
        assert f"\n+  - rolearn: {DEV}\n" in said
        assert "\n-" not in said.removeprefix("-")


class TestFiles:
    def test_mode_stays_and_the_history_is_as_private(self, run: Run, file: Path) -> None:
        run(*ADD, "--yes")
        history = file.with_name("mappings.yaml.history.jsonl")
        assert [path.stat().st_mode & 0o777 for path in (file, history)] == [0o640, 0o640]

    def test_a_rollback_restores_every_byte(self, run: Run, file: Path) -> None:
        file.write_bytes(TEXT.replace("\n", "\r\n").encode())
        before = file.read_bytes()
        run(*ADD, "--yes")
        assert run("rollback", "--yes")[0] == 0
        assert file.read_bytes() == before

    @pytest.mark.parametrize("mark", ["\u2028", "\x85", "\x1e"])
    def test_the_history_keeps_what_some_readers_take_for_a_line_break(
        self, run: Run, file: Path, mark: str
    ) -> None:
        name = json.dumps(f"a{mark}b")
        file.write_text(f"{TEXT}    note: {name}\n", encoding="utf-8")
        store = FileStore(file)
        texts = {"mappings.yaml": f"# {mark}\n"}
        store.remember(lambda history: history.with_edit("ann", "edit", texts, 0.0))
        assert [version.texts for version in store.history().versions] == [texts]

    def test_a_version_of_something_else_is_not_restored(self, run: Run, file: Path) -> None:
        store = FileStore(file)
        store.remember(lambda history: history.with_edit("ann", "edit", {}, 0.0))
        code, said = run("rollback", "--yes")
        assert (code, "choose another" in said) == (1, True)

    def test_no_server_checks_it(self, run: Run) -> None:
        assert run(*ADD, "--dry-run=server")[0] == 2

    def test_who_is_faster_is_not_written_over(self, file: Path) -> None:
        store = FileStore(file)
        snapshot = store.read()
        file.write_text(TEXT + "# faster\n")
        with pytest.raises(Conflict):
            store.write(snapshot, snapshot.document)
        assert file.read_text().endswith("# faster\n")

    def test_a_history_that_cannot_be_written_does_not_undo_the_edit(
        self, run: Run, file: Path
    ) -> None:
        file.with_name("mappings.yaml.history.jsonl").mkdir()
        code, said = run(*ADD, "--yes")
        assert (code, "could not be kept in the history" in said) == (0, True)
        assert file.read_text() == TEXT + ADDED

    def test_a_link_is_not_replaced(self, file: Path, tmp_path: Path) -> None:
        link = tmp_path / "link.yaml"
        link.symlink_to(file)
        assert mappings([*ADD, "--yes", f"--source=file={link}"]) == 1
        assert link.is_symlink()
        assert file.read_text() == TEXT

    def test_a_file_that_is_absent_is_not_made(self, tmp_path: Path) -> None:
        path = tmp_path / "none.yaml"
        assert mappings(["list", f"--source=file={path}"]) == 1
        assert mappings([*ADD, "--yes", f"--source=file={path}"]) == 1
        assert not path.exists()

    def test_an_empty_dynamic_file_becomes_json(self, tmp_path: Path) -> None:
        path = tmp_path / "dynamic.json"
        path.touch()
        assert mappings([*ADD, "--yes", f"--source=file={path}"]) == 0
        assert json.loads(path.read_text())["mapRoles"][0]["rolearn"] == DEV

    def test_two_histories_at_once_keep_both_edits(self, file: Path) -> None:
        stores = [FileStore(file), FileStore(file)]
        for store in stores:
            store.history()
        for number, store in enumerate(stores):

            def remembered(history: History, name: str = str(number)) -> History:
                return history.with_edit(name, "edit", {}, 0.0)

            store.remember(remembered)
        assert [version.user for version in stores[0].history().versions] == ["0", "1"]

    def test_editors_at_once_lose_no_edit(self, file: Path) -> None:
        roles = [f"arn:aws:iam::111122223333:role/r{number}" for number in range(12)]

        def add(arn: str) -> int:
            entry = MappingEntry("mapRoles", {"rolearn": arn, "username": "r"})
            return add_entry(FileStore(file), entry, Manner(yes=True))

        with ThreadPoolExecutor(len(roles)) as editors:
            assert list(editors.map(add, roles)) == [0] * len(roles)
        found = FileStore(file).read().document.entries()
        assert {located.entry.fields["rolearn"] for located in found} == {ADMIN, *roles}
        assert len(FileStore(file).history().versions) == len(roles)

    def test_bytes_that_are_no_text_are_told_of(self, file: Path) -> None:
        file.write_bytes(b"\xff\xfe")
        with pytest.raises(StoreError, match="cannot be read"):
            FileStore(file).read()


class TestGuards:
    def test_an_entry_that_would_not_be_in_force_is_refused(self, run: Run, file: Path) -> None:
        code, said = run("add", "account", "12345", "--yes")
        assert (code, "a leading zero may have been lost" in said) == (1, True)
        assert file.read_text() == TEXT

    def test_a_fault_that_was_there_before_is_in_nobody_s_way(self, run: Run, file: Path) -> None:
        file.write_text(f"{TEXT}mapAccounts: [12345]\n")
        assert run(*ADD, "--yes")[0] == 0

    def test_of_many_faults_one_can_be_put_right(self, run: Run, file: Path) -> None:
        file.write_text(f"{TEXT}mapAccounts: {json.dumps([str(n) for n in range(200)])}\n")
        assert run("remove", "mapAccounts[7]", "--yes")[0] == 0
        assert run("add", "account", "12345", "--yes")[0] == 1

    def test_the_last_administrator_stays(self, run: Run, file: Path) -> None:
        code, said = run("update", ADMIN, "--groups=dev", "--yes")
        assert (code, "last-administrator" in said) == (1, True)
        assert run("update", ADMIN, "--groups=dev", "--yes", "--force")[0] == 0
        assert "groups:\n      - dev\n" in file.read_text()

    def test_a_rollback_to_a_version_with_faults_is_made(self, run: Run, file: Path) -> None:
        file.write_text(f"{TEXT}mapAccounts: [12345]\n")
        run("remove", "12345", "--yes")
        code, said = run("rollback", "--yes")
        assert (code, "warning: the server would leave it out" in said) == (0, True)

    def test_a_rollback_to_what_does_not_parse_is_refused(self, run: Run, file: Path) -> None:
        texts = {"mappings.yaml": "mapRoles: ["}
        FileStore(file).remember(lambda history: history.with_edit("ann", "edit", texts, 0.0))
        assert run("rollback", "--yes")[0] == 1
        assert file.read_text() == TEXT
        assert run("rollback", "--yes", "--force")[0] == 0

    def test_a_rollback_does_not_undo_what_somebody_writes_meanwhile(
        self, run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(*ADD, "--yes")
        write = FileStore.write

        def overtaken(*arguments: Any, **more: Any) -> None:
            monkeypatch.setattr(FileStore, "write", write)
            file.write_text(f"{file.read_text()}# theirs\n")
            write(*arguments, **more)

        monkeypatch.setattr(FileStore, "write", overtaken)
        code, said = run("rollback", "--yes")
        assert (code, "another edit has been made" in said) == (1, True)
        assert file.read_text() == f"{TEXT}{ADDED}# theirs\n"

    @pytest.mark.parametrize("verb", [["remove"], ["update", "--username=x"], ["get"]])
    def test_an_empty_name_is_not_the_entry_that_names_nobody(
        self, run: Run, file: Path, verb: list[str]
    ) -> None:
        file.write_text(f"{TEXT}  - userid: AROAEXAMPLE\n    username: x\n")
        yes = [] if verb == ["get"] else ["--yes"]
        assert run(*verb, "", *yes)[0] == 1


class TestWhatIsShown:
    def test_a_table(self, run: Run) -> None:
        _, said = run("list")
        assert [line.split() for line in said.splitlines() if ADMIN in line] == [
            ["mapRoles[0]", ADMIN, "admin", "system:masters", "<none>", "yes"]
        ]

    def test_machines_get_every_key(self, run: Run, file: Path) -> None:
        found = json.loads(run("list", "--output=json")[1])
        assert found == {
            "source": str(file),
            "entries": [
                {
                    "id": "mapRoles[0]",
                    "section": "mapRoles",
                    "principal": ADMIN,
                    "username": "admin",
                    "groups": ["system:masters"],
                    "userid": "",
                    "expires": "",
                    "line": 3,
                    "inForce": True,
                    "problems": [],
                }
            ],
            "problems": [],
        }

    def test_yaml_keeps_the_zero_of_an_account(self, run: Run) -> None:
        run("add", "account", "012345678901", "--yes")
        assert 'principal: "012345678901"\n' in run("get", "012345678901", "--output=yaml")[1]

    @pytest.mark.parametrize("output", ["table", "json", "yaml"])
    def test_what_moves_the_cursor_is_shown_as_an_escape(
        self, run: Run, file: Path, output: str
    ) -> None:
        file.write_text('mapRoles: [{"rolearn": "\\e[2J \\u009b2J \\u202e"}]\n')
        said = run("list", f"--output={output}")[1]
        assert said.replace("\n", "").isprintable()

    def test_no_part_of_a_name_becomes_a_picture(self, run: Run, file: Path) -> None:
        file.write_text(TEXT.replace("username: admin", "username: ops:sa:admin"))
        assert " ops:sa:admin " in run("list")[1]

    def test_errors_quote_nothing_that_moves_the_cursor(self, run: Run, tmp_path: Path) -> None:
        entry = {"rolearn": "arn:aws:iam::111122223333:role/\x1b[2J", "username": "x"}
        wanted = tmp_path / "wanted.json"
        wanted.write_text(json.dumps({"mapRoles": [entry]}))
        code, said = run("apply", f"--filename={wanted}", "--yes")
        assert (code, "\x1b" in said, "\\x1b[2J" in said) == (1, False, True)

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            pytest.param(["list"], 0, id="entries"),
            pytest.param(["get", ADMIN], 0, id="found"),
            pytest.param(["get", DEV], 1, id="not found"),
            pytest.param(["remove", DEV, "--yes"], 1, id="nothing to remove"),
            pytest.param(["rollback", "--yes"], 1, id="nothing to roll back to"),
            pytest.param(["history"], 0, id="no history"),
            pytest.param(["update", ADMIN], 2, id="nothing to update"),
            pytest.param(["add", "role", "--username=x"], 2, id="nobody to add"),
            pytest.param(["add", "role", "--sso=name=x"], 2, id="a permission set of another form"),
            pytest.param(["diff", "--filename=/dev/null"], 1, id="a file without entries"),
        ],
    )
    def test_exit_codes(self, run: Run, arguments: list[str], code: int) -> None:
        assert run(*arguments)[0] == code

    def test_a_source_that_is_none(self) -> None:
        assert mappings(["list", "--source=secret"]) == 2


def test_groups_are_added_and_removed_one_by_one(run: Run, file: Path) -> None:
    run("update", ADMIN, "--add-group=a,b", "--add-group=c", "--remove-group=d", "--yes")
    run("update", ADMIN, "--remove-group=a", "--expires=2099-01-01T00:00:00Z", "--yes", "--force")
    assert file.read_text() == TEXT.replace(
        "[system:masters]", '[system:masters, "b", "c"]\n    expires: "2099-01-01T00:00:00Z"'
    )
    run("update", ADMIN, "--expires=", "--groups=system:masters", "--yes")
    assert file.read_text() == TEXT


def test_of_a_section_that_is_there_twice_none_is_taken_for_all(
    run: Run, file: Path, tmp_path: Path
) -> None:
    wanted = tmp_path / "wanted.yaml"
    wanted.write_text(f"{TEXT}maproles:\n- rolearn: {DEV}\n  username: dev\n")
    code, said = run("apply", f"--filename={wanted}", "--prune", "--yes", "--force")
    assert (code, "mapRoles: it stands here twice" in said) == (1, True)
    assert file.read_text() == TEXT


@pytest.mark.parametrize("empty", ["[]", "", '""'])
def test_what_an_empty_section_does_not_prune_is_named(
    run: Run, file: Path, tmp_path: Path, empty: str
) -> None:
    """It said "nothing to change", while the users stayed."""
    run("add", "user", "--userarn=arn:aws:iam::111122223333:user/alice", "--username=a", "--yes")
    before = file.read_text()
    wanted = tmp_path / "wanted.yaml"
    wanted.write_text(f"{TEXT}mapUsers: {empty}\nmapAccounts: []\n")
    for verb in (["apply", "--yes"], ["diff"]):
        code, said = run(*verb, f"--filename={wanted}", "--prune")
        assert code == 0
        assert said.count("mapUsers is empty in the file, so nothing in it was pruned") == 1
        assert "user/alice" in said
        assert "mapAccounts" not in said
    assert "pruned" not in run("apply", f"--filename={wanted}", "--yes")[1]
    assert file.read_text() == before


def test_remarks_on_what_is_applied_are_shown(run: Run, tmp_path: Path) -> None:
    wanted = tmp_path / "wanted.yaml"
    wanted.write_text(TEXT.replace("username:", "userName2: x\n    username:"))
    assert "the unknown key 'userName2' is ignored" in run("diff", f"--filename={wanted}")[1]


def test_groups_may_be_repeated_as_with_the_reference(run: Run, file: Path) -> None:
    run("add", "role", f"--rolearn={DEV}", "--username=dev", "--groups=a", "--groups=b", "--yes")
    assert file.read_text() == TEXT + ADDED


class TestAdvice:
    PATTERN = ("add", "role", "--rolearn=arn:aws:iam::111122223333:role/*")

    def test_an_edit_is_told_what_lint_says_of_its_entries(self, run: Run) -> None:
        grant = ("--username={{SessionName}}", "--groups=system:masters")
        _, said = run(*self.PATTERN, *grant, "--yes")
        warnings = [line for line in said.splitlines() if "warning: " in line]
        assert [line.rpartition("[")[2].rstrip("]") for line in warnings] == [
            "wide-pattern",
            "caller-chosen-username",
            "masters-by-pattern",
        ]
        assert all("arn:aws:iam::111122223333:role/*: " in line for line in warnings)

    def test_an_entry_that_stood_there_is_not_spoken_of(self, run: Run) -> None:
        run(*self.PATTERN, "--username=x", "--yes")
        assert "warning" not in run(*ADD, "--yes")[1]

    def test_what_the_reader_says_is_said_once(self, run: Run) -> None:
        _, said = run("add", "role", f"--rolearn={DEV}", "--yes")
        assert said.count("username is missing") == 1

    def test_a_second_entry_for_a_principal_is_told_of(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Such as an editor or a rollback makes; what 'add' makes is refused."""
        line = f"  - {{rolearn: {ADMIN}, username: x, groups: [system:masters]}}"
        monkeypatch.setenv("KUBE_EDITOR", f"sed -i '$ a\\{line}'")
        code, said = run("edit", "--dry-run")
        assert (code, "[conflicting-entry]" in said, "comes first and grants" in said) == (
            0,
            True,
            True,
        )
        code, said = run("edit", "--dry-run", "--strict")
        assert (code, "refused (--strict)" in said) == (1, True)
        Path(said.rpartition("is kept in ")[2].strip()).unlink()

    def test_many_warnings_are_cut(self, run: Run, tmp_path: Path) -> None:
        roles = [
            {"rolearn": f"arn:aws:iam::11112222333{n}:role/*", "username": "x"} for n in range(9)
        ]
        users = [
            {"userarn": f"arn:aws:iam::11112222333{n}:user/*", "username": "x"} for n in range(9)
        ]
        wanted = tmp_path / "wanted.json"
        wanted.write_text(json.dumps({"mapRoles": roles, "mapUsers": users}))
        _, said = run("apply", f"--filename={wanted}", "--yes")
        assert said.count("warning: arn:aws:iam::") == 10
        assert "more; `lint` shows all of them" in said


class TestWhatPeopleType:
    """As kubectl has it."""

    @pytest.mark.parametrize("verb", ["remove", "delete", "rm"])
    def test_removal_has_the_names_of_kubectl_and_shells(
        self, run: Run, file: Path, verb: str
    ) -> None:
        run(*ADD, "--yes")
        assert run(verb, DEV, "--yes")[0] == 0
        assert file.read_text() == TEXT

    @pytest.mark.parametrize(
        "arguments",
        [
            ["add", DEV, "--username=dev", "--group=a", "--group=b"],
            ["add", "role", DEV, "--username=dev", "--groups=a,b"],
        ],
    )
    def test_an_arn_needs_no_flag(self, run: Run, file: Path, arguments: list[str]) -> None:
        assert run(*arguments, "--yes")[0] == 0
        assert file.read_text() == TEXT + ADDED

    @pytest.mark.parametrize(
        ("name", "section"),
        [
            ("arn:aws:iam::111122223333:user/bob", "mapUsers"),
            ("arn:aws:sts::111122223333:federated-user/bob", "mapUsers"),
            ("arn:aws:sts::111122223333:assumed-role/Dev/x", "mapRoles"),
            ("012345678901", "mapAccounts"),
        ],
    )
    def test_add_knows_the_kind_of_a_name(self, run: Run, name: str, section: str) -> None:
        more = [] if section == "mapAccounts" else ["--username=x"]
        assert run("add", name, *more, "--yes")[0] == 0
        listed = json.loads(run("list", "--output=json")[1])["entries"]
        assert [entry["section"] for entry in listed if entry["principal"] == name] == [section]

    @pytest.mark.parametrize("twice", [[DEV, f"--rolearn={DEV}"], []])
    def test_one_role_is_named(self, run: Run, twice: list[str]) -> None:
        assert run("add", "role", *twice, "--username=x", "--yes")[0] == 2

    @pytest.mark.parametrize(
        "flags", [["--dry-run", DEV], [DEV, "--dry-run"], ["--dry-run", "client", DEV]]
    )
    def test_a_bare_dry_run_was_an_error(self, run: Run, file: Path, flags: list[str]) -> None:
        run(*ADD, "--yes")
        code, said = run("remove", *flags)
        assert (code, "nothing has been written" in said) == (0, True)
        assert file.read_text() == TEXT + ADDED


class TestStrict:
    """For CI: a warning is an error."""

    WARNED = ("add", "role", "arn:aws:iam::111122223333:role/*", "--username=x")

    @pytest.mark.parametrize("dry_run", [["--yes"], ["--dry-run"]])
    def test_what_lint_warns_of_is_refused(self, run: Run, file: Path, dry_run: list[str]) -> None:
        code, said = run(*self.WARNED, "--strict", *dry_run)
        assert (code, "refused (--strict): 1 warning" in said) == (1, True)
        assert file.read_text() == TEXT
        assert run(*self.WARNED, *dry_run)[0] == 0

    def test_what_the_reader_warns_of_is_refused(self, run: Run) -> None:
        code, said = run("add", "role", DEV, "--strict", "--yes")
        assert (code, "username is missing" in said) == (1, True)

    def test_anything_else_is_written(self, run: Run, file: Path) -> None:
        assert run(*ADD, "--strict", "--yes")[0] == 0
        assert file.read_text() == TEXT + ADDED


class TestExpires:
    @pytest.mark.parametrize("when", ["8h", "7d", "2099-01-31", "2099-01-31T18:00:00Z"])
    def test_durations_and_days_were_refused(self, run: Run, when: str) -> None:
        before = time.time()
        code, said = run(*ADD, f"--expires={when}", "--yes")
        (entry,) = json.loads(run("get", DEV, "--output=json")[1])
        end = parse_rfc3339(entry["expires"])
        assert (code, end > before) == (0, True)
        assert f"note: the access ends at {entry['expires']} (in " in said
        if when == "8h":
            assert 0 <= end - (before + 8 * 3600) < 60
        if when == "2099-01-31":
            assert entry["expires"] == "2099-01-31T23:59:59Z"

    @pytest.mark.parametrize("when", ["soon", "2020-01-31", "8", "2099-01-31T18:00"])
    def test_an_end_that_is_none_is_refused_before_the_difference(
        self, run: Run, when: str
    ) -> None:
        code, said = run(*ADD, f"--expires={when}", "--yes")
        assert (code, "+++" in said) == (2, False)
        assert when in said

    def test_the_list_shows_it_absolute_and_relative(self, run: Run) -> None:
        run(*ADD, "--expires=7d", "--yes")
        (line,) = (line for line in run("list")[1].splitlines() if DEV in line)
        assert re.search(r"   20\d\d-\d\d-\d\dT[\d:]+Z \(in (6d23h|7d)\)   yes$", line)


class TestGrant:
    GRANT = ("grant", ADMIN, "--group=on-call", "--for=2h", "--reason=ticket 7", "--yes")

    def test_a_group_is_given_for_a_while(self, run: Run, file: Path) -> None:
        code, said = run(*self.GRANT)
        assert code == 0
        assert re.search(r"note: the access ends at 20[\dTZ:-]+ \(in 2h\)", said)
        _, granted = json.loads(run("get", ADMIN, "-o", "json")[1])
        assert granted["groups"] == ["system:masters", "on-call"]
        assert (granted["username"], granted["reason"]) == ("admin", "ticket 7")
        assert file.read_text().startswith(TEXT)
        (edit,) = json.loads(run("history", "-o", "json")[1])
        assert re.fullmatch(rf"grant on-call to {ADMIN} until 20[\dTZ:-]+: ticket 7", edit["edit"])

    @pytest.mark.parametrize(
        ("flags", "code", "reason"),
        [
            (["--for=yesterday"], 2, "--for"),
            (["--for=2020-01-01"], 2, "in the past"),
            (["--reason= "], 2, "--reason"),
            (["--group="], 2, "--group NAME"),
        ],
    )
    def test_flags_that_make_no_grant(
        self, run: Run, file: Path, flags: list[str], code: int, reason: str
    ) -> None:
        name = flags[0].partition("=")[0]
        others = [flag for flag in self.GRANT if not flag.startswith(name)]
        ended, said = run(*others, *flags)
        assert (ended, reason in said) == (code, True)
        assert file.read_text() == TEXT

    def test_that_the_go_program_would_not_end_it_is_said(self, run: Run) -> None:
        assert "with the Go program the access would last" in run(*self.GRANT)[1]
        assert "the Go program" not in run("update", ADMIN, "--username=boss", "--yes")[1]

    def test_an_update_is_of_the_entry_that_lasts(self, run: Run, file: Path) -> None:
        run(*self.GRANT)
        assert run("update", ADMIN, "--username=boss", "--yes")[0] == 0
        assert file.read_text().startswith(TEXT.replace("username: admin", "username: boss"))

    def test_an_unmapped_principal_is_told_what_to_do(self, run: Run) -> None:
        code, said = run("grant", DEV, *self.GRANT[2:])
        assert (code, "'mappings add --expires'" in said) == (1, True)


class TestHistory:
    def test_it_was_headed_by_the_edit_that_ended_a_version(self, run: Run) -> None:
        run(*ADD, "--yes")
        header, line = run("history")[1].splitlines()
        assert header.split() == ["EDIT", "WHEN", "WHO", "WHAT", "UNDO"]
        assert re.match(rf"1 .*Z \(\d+s ago\) .* add {DEV} +rollback 1$", line)

    def test_show_tells_of_one_edit(self, run: Run, file: Path) -> None:
        run(*ADD, "--yes")
        run("remove", DEV, "--yes")
        code, said = run("history", "show", "1")
        assert code == 0
        facts = dict(line.split(maxsplit=1) for line in said.splitlines()[:5])
        assert facts["What"] == f"add {DEV}"
        assert facts["Undo"] == f"aws-iam-authenticator mappings rollback 1 --source file={file}"
        assert f"\n+  - rolearn: {DEV}\n" in said
        assert f"\n-  - rolearn: {DEV}\n" in run("history", "show", "2")[1]
        values = json.loads(run("history", "show", "1", "-o", "json")[1])
        assert (values["version"], f"+  - rolearn: {DEV}" in values["diff"]) == (1, True)

    def test_flags_before_the_verb_were_of_no_effect(self, run: Run, file: Path) -> None:
        run(*ADD, "--yes")
        assert mappings(["history", f"--source=file={file}", "show", "1"]) == 2

    def test_states_are_compared(self, run: Run) -> None:
        run(*ADD, "--yes")
        run("update", DEV, "--username=x", "--yes")
        run("update", DEV, "--username=dev", "--yes")
        code, said = run("history", "diff", "2", "3")
        assert (code, "-    username: dev\n+    username: x\n" in said) == (3, True)
        assert "(before edit 2)" in said
        assert run("history", "diff", "2") == (0, "")
        assert run("history", "diff", "1")[0] == 3

    @pytest.mark.parametrize("arguments", [["show", "7"], ["diff", "7"], ["diff", "1", "7"]])
    def test_an_edit_that_is_not_there(self, run: Run, arguments: list[str]) -> None:
        run(*ADD, "--yes")
        code, said = run("history", *arguments)
        assert (code, "no edit 7 is in 'mappings history'" in said) == (1, True)


class TestFilters:
    @pytest.fixture(autouse=True)
    def entries(self, run: Run) -> None:
        run(*ADD, "--yes")
        for name, expires in (("Soon", "2h"), ("Later", "30d")):
            arn = DEV.replace("Dev", name)
            run("add", arn, "--username=x", "--group=a", f"--expires={expires}", "--yes")

    @pytest.mark.parametrize(
        ("flags", "names"),
        [
            (["--group=a"], ["Dev", "Soon", "Later"]),
            (["--group=system:masters"], ["Admin"]),
            (["--expiring=7d"], ["Soon"]),
            (["--expiring=60d", "--group=a"], ["Soon", "Later"]),
            (["--group=none"], []),
        ],
    )
    def test_entries_are_chosen(self, run: Run, flags: list[str], names: list[str]) -> None:
        found = json.loads(run("list", *flags, "-o", "json")[1])["entries"]
        assert [entry["principal"].rpartition("/")[2] for entry in found] == names

    def test_a_place_with_entries_is_not_called_empty(self, run: Run) -> None:
        said = run("list", "--group=none")[1]
        assert ("chosen by these flags" in said, "has no entries" in said) == (True, False)

    def test_names_are_for_other_verbs(self, run: Run) -> None:
        names = run("list", "--group=a", "-o", "name")[1].split()
        assert names == ["mapRoles[1]", "mapRoles[2]", "mapRoles[3]"]
        assert run("rm", *names, "--yes")[0] == 0

    @pytest.mark.parametrize("flags", [["--expiring=soon"], ["--config=x"]])
    def test_flags_that_say_nothing(self, run: Run, flags: list[str]) -> None:
        assert run("list", *flags)[0] == 2


SSO = "permissionSetName=Dev,accountID=111122223333"


@pytest.mark.parametrize("name", [SSO, "permission set Dev in 111122223333", SSO.lower()])
def test_a_permission_set_was_not_found_by_the_name_shown(run: Run, name: str) -> None:
    run("add", "role", f"--sso={SSO}", "--username=dev", "--yes")
    code, said = run("get", name, "-o", "json")
    assert code == 0
    (entry,) = json.loads(said)
    assert entry["sso"] == {"permissionSetName": "Dev", "accountID": "111122223333"}
    assert run("remove", name, "--yes")[0] == 0


def test_a_section_that_the_file_does_not_have_is_not_pruned_in_silence(
    run: Run, tmp_path: Path
) -> None:
    user = "arn:aws:iam::111122223333:user/alice"
    run("add", user, "--username=a", "--yes")
    wanted = tmp_path / "wanted.yaml"
    wanted.write_text(TEXT)
    code, said = run("apply", f"--filename={wanted}", "--prune", "--yes")
    assert code == 0
    assert "mapUsers is not in the file, so nothing in it was pruned" in said
    assert user in said


class TestEditor:
    """The editor is a script: each call of it is one line of sed, or does nothing."""

    @pytest.fixture
    def script(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
        def write(*steps: str) -> Path:
            steps_file, seen = tmp_path / "steps", tmp_path / "seen"
            steps_file.write_text("".join(f"{step}\n" for step in steps))
            program = tmp_path / "editor"
            program.write_text(
                f'#!/bin/sh\ncat "$1" >> {seen}\nstep=$(head -n 1 {steps_file})\n'
                f'sed -i 1d {steps_file}\n[ -z "$step" ] || eval "$step"\n'
            )
            program.chmod(0o755)
            monkeypatch.setenv("EDITOR", str(program))
            monkeypatch.delenv("KUBE_EDITOR", raising=False)
            monkeypatch.delenv("VISUAL", raising=False)
            return seen

        return write

    def test_what_was_edited_is_written(
        self, run: Run, file: Path, script: Callable[..., Path]
    ) -> None:
        seen = script("sed -i s/admin$/boss/ $1")
        code, said = run("edit", "--yes")
        assert (code, "+    username: boss" in said) == (0, True)
        assert file.read_text() == TEXT.replace("username: admin", "username: boss")
        assert seen.read_text().endswith(TEXT)
        assert "edit in an editor" in run("history")[1]

    def test_nothing_changed_is_no_edit(
        self, run: Run, file: Path, script: Callable[..., Path]
    ) -> None:
        script("")
        assert run("edit", "--yes") == (0, "Edit cancelled, no changes made.\n")
        assert file.read_text() == TEXT

    @pytest.mark.parametrize(
        ("mistake", "undo", "reason"),
        [
            ("s/mapRoles:$/mapRoles: [/", r"s/mapRoles: \[$/mapRoles:/", "cannot be read|parsing"),
            ("$ a mapAccounts: [12345]", "/^mapAccounts/d", "a leading zero may have been lost"),
            (r"s/\[system:masters/[dev/", r"s/\[dev/[system:masters/", "last-administrator"),
        ],
    )
    def test_a_mistake_is_opened_again_with_the_reason(
        self,
        *,
        run: Run,
        file: Path,
        script: Callable[..., Path],
        mistake: str,
        undo: str,
        reason: str,
    ) -> None:
        seen = script(f"sed -i '{mistake}' $1", f"sed -i '{undo};s/admin$/boss/' $1")
        code, said = run("edit", "--yes")
        assert code == 0, said
        again = seen.read_text().split("# --- ")[1]
        assert re.search(f"# Not written: .*({reason})", again), again
        assert file.read_text() == TEXT.replace("username: admin", "username: boss")

    def test_a_mistake_that_is_left_so_is_kept_in_a_copy(
        self, run: Run, file: Path, script: Callable[..., Path]
    ) -> None:
        script("sed -i 's/system:masters/dev/' $1", "")
        code, said = run("edit", "--yes")
        assert (code, "last-administrator" in said) == (1, True)
        copy = Path(said.rpartition("is kept in ")[2].strip())
        try:
            assert copy.read_text() == TEXT.replace("system:masters", "dev")
            assert copy.stat().st_mode & 0o777 == 0o600
        finally:
            copy.unlink()
        assert file.read_text() == TEXT

    def test_an_edit_made_meanwhile_is_not_undone(
        self, run: Run, file: Path, script: Callable[..., Path]
    ) -> None:
        script(f"sed -i s/admin$/boss/ $1; echo '# theirs' >> {file}")
        code, said = run("edit", "--yes")
        assert (code, "another edit was made meanwhile" in said) == (1, True)
        Path(said.rpartition("is kept in ")[2].strip()).unlink()
        assert file.read_text() == f"{TEXT}# theirs\n"

    def test_without_a_terminal_it_is_said_before_the_editor_opens(
        self, run: Run, script: Callable[..., Path]
    ) -> None:
        seen = script("")
        code, said = run("edit")
        assert (code, "--yes" in said, seen.exists()) == (1, True, False)

    @pytest.mark.parametrize("editor", ["/nonexistent/editor", "false", "'"])
    def test_an_editor_that_does_not_run_is_named(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, editor: str
    ) -> None:
        monkeypatch.setenv("KUBE_EDITOR", editor)
        code, said = run("edit", "--yes")
        assert (code, editor in said) == (1, True)
