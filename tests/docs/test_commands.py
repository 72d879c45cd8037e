"""What the documents say to type exists: verbs, flags, paths, targets, settings and metrics."""

from __future__ import annotations

import difflib
import functools
import re
import shlex
import subprocess

import pytest

from authenticator.serving.metric_table import METRICS, NAMESPACE
from authenticator.settings import places, variable
from dev.server import COMMAND
from tests.docs.pages import ROOT, Page, pages

PAGES = [page for page in pages() if page.path != "CHANGELOG.md"]
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)

_OURS = "aws-iam-authenticator"
_FLAG = re.compile(r"--?[a-zA-Z][\w-]*")
_METRIC = re.compile(rf"{NAMESPACE}_[a-z0-9_]+|(?<![\w.])[a-z0-9_]+_(?:total|seconds)(?!\w)")
_PATH = re.compile(r"(?:manifests|docs|dev|tests|authenticator|client)/[\w./-]*\w")
_TARGET = re.compile(r"^(?:    )?make ([a-z]+)\b", re.MULTILINE)
_SETTING = re.compile(r"KUBERNETES_AWS_AUTHENTICATOR_[A-Z0-9_]+")
# At the beginning of a line or of a command within it.
_BEGIN = re.compile(rf"(?:^ *(?:\$ )?|[|(] *|&& | -- |/bin/){_OURS} (?=[a-z-])")
_END = frozenset({"|", "||", "&&", ";", ">", ">>", "<", ")", "#"})


@functools.cache
def help_of(*verb: str) -> str:
    """What `VERB --help` prints, "" if there is no such verb."""
    done = subprocess.run(
        [COMMAND, *verb, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout if done.returncode == 0 else ""


def flags_of(*verb: str) -> frozenset[str]:
    return frozenset(_FLAG.findall(help_of(*verb)))


def verbs_below(*verb: str) -> frozenset[str]:
    """The verbs of a group, and of the command itself."""
    text = help_of(*verb)
    listed = text.partition("Verbs:")[2].partition("\n\n")[0] if verb else text
    return frozenset(re.findall(r"^  ([a-z][a-z-]*) ", listed, re.MULTILINE))


def commands(page: Page) -> list[tuple[str, list[str]]]:
    """Each command of ours on a page, as words, with where it stands."""
    found = []
    for block in page.blocks:
        if block.language in ("bash", "console", "sh"):
            text = block.text.replace("\\\n", " ")
            found += [(str(block), line) for line in text.splitlines()]
    indented = re.sub(r"\\\n\s*", " ", "\n".join(page.prose)).splitlines()
    found += [(page.path, line) for line in indented if line.startswith("    ")]
    found += [(f"{page.path}:{line}", code) for line, code in page.code_spans]
    return [(where, words) for where, line in found for words in _commands_in(line)]


def _commands_in(line: str) -> list[list[str]]:
    made = []
    for found in _BEGIN.finditer(line):
        lexer = shlex.shlex(line[found.end() :], posix=True, punctuation_chars="|&;<>()")
        lexer.whitespace_split = True
        lexer.commenters = "#"
        words: list[str] = []
        try:
            for word in lexer:
                if set(word) & _END and word in _END:
                    break
                words.append(word)
        except ValueError:  # an end in the middle of quotes: `"$(... )"`
            pass
        made.append(words)
    return made


def problem_of(words: list[str]) -> str:
    """What is wrong with a command, "" if nothing."""
    verb: tuple[str, ...] = ()
    while words and words[0] in verbs_below(*verb):
        verb += (words[0],)
        words = words[1:]
        if not verbs_below(*verb):
            break
    if not verb:
        return f"there is no verb {words[0]}"
    given = {word.partition("=")[0] for word in words if _FLAG.match(word)}
    unknown = given - flags_of(*verb)
    return f"{' '.join(verb)} has no {', '.join(sorted(unknown))}" if unknown else ""


@every_page
def test_commands_of_ours_have_these_verbs_and_flags(page: Page) -> None:
    problems = [(where, problem_of(words)) for where, words in commands(page)]
    assert [f"{where}: {problem}" for where, problem in problems if problem] == []


def test_commands_are_found_at_all() -> None:
    found = [words[0] for page in PAGES for _, words in commands(page)]
    assert {"token", "kubeconfig", "init", "mappings", "explain", "lint", "access"} <= set(found)


def everything(page: Page) -> list[tuple[str, str]]:
    """All that is code on a page, each with where it stands."""
    spans = [(f"{page.path}:{line}", code) for line, code in page.code_spans]
    return spans + [(str(block), block.text) for block in page.blocks]


@every_page
def test_paths_of_the_project_exist(page: Page) -> None:
    missing = [
        f"{where}: {path}"
        for where, code in everything(page)
        for path in re.findall(rf"(?<![\w./-]){_PATH.pattern}", code)
        if not (ROOT / path).exists() and not list(ROOT.glob(f"{path}*"))
    ]
    assert missing == []


@every_page
def test_make_targets_exist(page: Page) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = [(where, name) for where, code in everything(page) for name in _TARGET.findall(code)]
    named += [(page.path, name) for name in _TARGET.findall("\n".join(page.prose))]
    assert [f"{where}: make {name}" for where, name in named if name not in targets] == []


@every_page
def test_metrics_exist(page: Page) -> None:
    suffixes = ("", "_bucket", "_sum", "_count")
    names = {f"{NAMESPACE}_{metric.name}{suffix}" for metric in METRICS for suffix in suffixes}
    names |= {metric.name + suffix for metric in METRICS for suffix in suffixes}
    unknown = [
        f"{where}: {name}"
        for where, code in everything(page)
        for name in _METRIC.findall(code)
        if name not in names and not name.endswith("_")
    ]
    assert unknown == []


@every_page
def test_variables_of_settings_exist(page: Page) -> None:
    known = {variable(name) for name, _, _ in places()}
    unknown = [
        f"{where}: {name}"
        for where, code in everything(page)
        for name in _SETTING.findall(code)
        if name not in known
    ]
    assert unknown == []


@every_page
def test_settings_are_spelt_as_they_are(page: Page) -> None:
    keys = {place.path.rpartition(".")[2] for _, _, place in places()}
    slips = [
        f"{where}: {code}"
        for where, code in everything(page)
        if re.fullmatch(r"[a-z]+[A-Z]\w+", code) and code not in keys
        if difflib.get_close_matches(code, keys, cutoff=0.85)
    ]
    assert slips == []


@every_page
def test_no_path_of_somebodys_machine_is_shown(page: Page) -> None:
    text = (ROOT / page.path).read_text()
    assert re.findall(r"/(?:root|work|Users|home/(?!me\b)\w+)/", text) == []
