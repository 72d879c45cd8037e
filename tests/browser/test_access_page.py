"""The access report in a real browser: what it shows, to whom, and what it refuses to run."""

from __future__ import annotations

import base64
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from authenticator.access.page import page
from authenticator.access.resources import is_cluster_wide
from authenticator.admin.access.command import request_for
from tests.browser import samples

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

pytestmark = pytest.mark.debian

WIDE, NARROW = 1280, 360


class Page:
    """The report as somebody uses it."""

    def __init__(self, chrome: Chrome, path: Path) -> None:
        self.chrome = chrome
        self._path = path

    def open(self, *, width: int = WIDE, scheme: str = "light") -> None:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self._cdp("Emulation.setEmulatedMedia", features=[feature])
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == NARROW}
        self._cdp("Emulation.setDeviceMetricsOverride", **size)
        self.chrome.get(self._path.as_uri())

    def _cdp(self, command: str, **parameters: Any) -> Any:
        return self.chrome.execute_cdp_cmd(command, parameters)

    def find(self, selector: str) -> WebElement:
        return self.chrome.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.chrome.find_elements(By.CSS_SELECTOR, selector)

    def run(self, script: str, *arguments: object) -> Any:
        return self.chrome.execute_script(script, *arguments)

    def fill(self, field: str, text: str) -> None:
        self.find(f"#{field}").clear()
        self.find(f"#{field}").send_keys(text)

    def choose(self, field: str, value: str) -> None:
        Select(self.find(f"#{field}")).select_by_value(value)

    @property
    def names(self) -> list[str]:
        texts: list[str] = self.run(
            "return [...document.querySelectorAll('#rows .name')].map((e) => e.textContent)"
        )
        return texts

    @property
    def count(self) -> str:
        return self.find("#count").text

    def toggle(self, name: str) -> WebElement:
        """Press the button of a principal; gives its rights."""
        button = self.all("#rows .name")[self.names.index(name)]
        button.click()
        return self.find(f"#{button.get_attribute('aria-controls')}")

    def print(self) -> bytes:
        """The page on paper, as PDF."""
        return base64.b64decode(self._cdp("Page.printToPDF")["data"])

    def complaints(self) -> list[str]:
        """What the browser's console says, violations of the content security policy included."""
        return [entry["message"] for entry in self.chrome.get_log("browser")]


@pytest.fixture(scope="module")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "small.html"
    path.write_text(page(samples.small()), "utf-8")
    return path


@pytest.fixture
def report(chrome: Chrome, small_file: Path) -> Page:
    opened = Page(chrome, small_file)
    opened.open()
    opened.complaints()
    return opened


def test_the_riskiest_grants_come_first(report: Page) -> None:
    badges = [badge.text for badge in report.all("#rows .principal > td:first-child .badge")]
    order = ["Critical", "High", "Medium", "Low", "No risk"]
    assert badges == sorted(badges, key=order.index)
    assert badges[0] == "Critical"
    assert set(badges) == set(order)


def test_every_principal_is_there(report: Page) -> None:
    assert report.count == f"All {len(samples.small()['principals'])}"
    assert len(report.names) == len(samples.small()["principals"])


def test_rights_are_shown_and_hidden_by_the_keyboard(report: Page) -> None:
    first = report.find("#rows .name")
    rights = report.find(f"#{first.get_attribute('aria-controls')}")
    assert (first.get_attribute("aria-expanded"), rights.is_displayed()) == ("false", False)
    report.run("arguments[0].focus()", first)
    first.send_keys(Keys.ENTER)
    assert (first.get_attribute("aria-expanded"), rights.is_displayed()) == ("true", True)
    first.send_keys(Keys.SPACE)
    assert (first.get_attribute("aria-expanded"), rights.is_displayed()) == ("false", False)


def test_rights_say_what_where_and_by_which_way(report: Page) -> None:
    text = report.toggle("Developer").text
    assert "As a member of developers" in text
    assert "In namespace shop" in text
    assert "RoleBinding/shop/developers, which grants ClusterRole/edit" in text
    assert "pods/exec, pods/attach" in text or "pods/attach, pods/exec" in text


def test_a_name_that_the_session_chooses_is_said_to_be_one(report: Page) -> None:
    text = report.toggle("Release").text
    assert "As the user ci:release" in text
    assert "Only if the session is named so" in text


@pytest.mark.parametrize(
    ("field", "value", "names"),
    [
        ("risk", "bind", {"BreakGlass", "Deputy", "PlatformAdmin"}),
        ("group", "viewers", {"Deputy", "staff/bob", "team-*"}),
        ("kind", "account", {"444455556666"}),
        ("kind", "user", {"staff/bob"}),
    ],
)
def test_a_filter_keeps_those_that_fit(
    report: Page, field: str, value: str, names: set[str]
) -> None:
    report.choose(field, value)
    assert set(report.names) == names
    assert report.count == f"{len(names)} of {len(samples.small()['principals'])}"


def test_a_namespace_keeps_those_with_rights_there(report: Page) -> None:
    report.choose("namespace", "billing")
    assert "Developer" in report.names
    assert "IdentityTeam" not in report.names


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("DEPUTY", {"Deputy"}),
        ("staff/bob", {"staff/bob"}),
        ("viewers deputies", {"Deputy"}),
        ("arn:aws:iam::111122223333:role/node", {"Node"}),
        ("no such thing", set()),
    ],
)
def test_a_search_finds_all_words(report: Page, words: str, names: set[str]) -> None:
    report.fill("search", words)
    assert set(report.names) == names
    assert report.find("#nobody").is_displayed() == (not names)


def test_a_severity_is_a_filter_that_is_pressed_and_released(report: Page) -> None:
    high = report.all("#severities button")[1]
    high.click()
    assert (high.get_attribute("aria-pressed"), report.names) == ("true", ["Release"])
    high.click()
    assert high.get_attribute("aria-pressed") == "false"
    assert report.count.startswith("All")


def test_all_filters_are_cleared_at_once(report: Page) -> None:
    report.fill("search", "deputy")
    report.choose("kind", "role")
    report.all("#severities button")[0].click()
    report.find("button[type=reset]").click()
    report.run("return new Promise((done) => setTimeout(done))")
    assert report.count.startswith("All")


_QUESTIONS = [
    ("get", "secrets", ""),
    ("get", "secrets", "shop"),
    ("get", "secret", ""),
    ("patch", "deploy", "shop"),
    ("get", "pods", "kube-system"),
    ("list", "pods/log", ""),
    ("create", "pods/exec", "billing"),
    ("create", "deployments.apps", ""),
    ("patch", "deployments", "shop"),
    ("bind", "clusterroles", "shop"),
    ("update", "configmaps", "kube-system"),
    ("get", "nodes", "shop"),
    ("get", "/metrics", ""),
    ("get", "/healthz/etcd", ""),
    ("post", "/metrics", ""),
    ("get", "widgets.example.com", ""),
]


@pytest.mark.parametrize(("verb", "resource", "namespace"), _QUESTIONS)
def test_the_page_answers_who_can_as_the_command_does(
    report: Page, verb: str, resource: str, namespace: str
) -> None:
    full, _, subresource = resource.partition("/") if resource[0] != "/" else (resource, "", "")
    request = request_for(verb, full, subresource, lambda *_: None)
    where = None if is_cluster_wide(request) else namespace or None
    able = {principal.written for principal, _ in samples.small_report().who_can(request, where)}
    if namespace:
        report.choose("namespace", namespace)
    report.fill("verb", verb)
    report.fill("resource", resource)
    assert set(report.names) == {re.sub(r"^arn:.*?/", "", arn) for arn in able}


@pytest.mark.parametrize("resource", ["widgets", "constructor", "__proto__"])
def test_a_resource_that_is_not_known_is_asked_for_by_its_group(
    report: Page, resource: str
) -> None:
    report.fill("verb", "get")
    report.fill("resource", resource)
    assert "widgets.example.com" in report.find("#can-problem").text
    assert report.count.startswith("All")


def test_names_are_text_whatever_they_hold(report: Page) -> None:
    rights = report.toggle("Hostile")
    assert samples.HOSTILE in rights.text
    # Marks that turn the direction of text would make a name look like another.
    assert samples.SPOOFED not in rights.text
    assert r"admin\u{202e}gpj.exe" in rights.text
    assert report.chrome.title.startswith("Who can do what")
    assert report.all("#rows img, #rows script") == []
    assert report.complaints() == []


def test_the_policy_runs_no_other_script_and_loads_nothing(report: Page) -> None:
    report.run(
        "const script = document.createElement('script');"
        "try { script.text = 'window.ran = true'; } catch { window.refused = true; }"
        "document.body.append(script);"
        "const image = new Image(); image.src = 'https://127.0.0.1:1/x.png';"
        "document.body.append(image);"
        "try { document.body.innerHTML = '<p>'; } catch { window.untrusted = true; }"
    )
    assert report.run("return [window.ran, window.refused, window.untrusted]") == [None, True, True]
    assert any("img-src" in message or "default-src" in message for message in report.complaints())


def test_the_page_asks_nobody_for_anything(report: Page) -> None:
    entries = report.run("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert entries == []
    assert report.complaints() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_axe_finds_nothing_serious(report: Page, scheme: str, width: int) -> None:
    report.open(width=width, scheme=scheme)
    for name in ("Developer", "Release", "BreakGlass"):
        report.toggle(name)
    report.find("#limits summary").click()
    report.chrome.execute_cdp_cmd("Runtime.evaluate", {"expression": axe_core()})
    found = report.chrome.execute_async_script(
        "axe.run(document, {resultTypes: ['violations']}).then(arguments[arguments.length - 1])"
    )
    serious = [
        (violation["id"], [node["target"] for node in violation["nodes"]])
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
    assert serious == []
    # It has looked: a page that it could not read passes nothing.
    assert len(found["passes"]) > 20


def test_the_focus_can_be_seen_wherever_tab_leads(report: Page) -> None:
    outlines = []
    for _ in range(20):
        report.chrome.switch_to.active_element.send_keys(Keys.TAB)
        outlines.append(
            report.run(
                "const style = getComputedStyle(document.activeElement);"
                "return [document.activeElement.tagName, style.outlineStyle]"
            )
        )
    assert {style for _, style in outlines} == {"solid"}
    # First past everything to the principals, for whoever wants.
    assert outlines[0][0] == "A"
    assert {"BUTTON", "INPUT", "SELECT", "SUMMARY"} <= {tag for tag, _ in outlines}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_need_not_scroll_sideways(report: Page, scheme: str) -> None:
    report.open(width=NARROW, scheme=scheme)
    for name in report.names:
        report.toggle(name)
    assert report.run("return document.documentElement.scrollWidth") <= NARROW


def test_dark_is_dark(report: Page) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        report.open(scheme=scheme)
        color = report.run("return getComputedStyle(document.body).backgroundColor")
        grounds.append(sum(int(part) for part in re.findall(r"\d+", color)[:3]))
    assert grounds[0] > 600
    assert grounds[1] < 150


def printed(report: Page) -> list[Any]:
    """Print; gives how many principals and rights were on paper, and what was said of the rest."""
    report.run(
        "addEventListener('beforeprint', () => { window.printed = ["
        " document.querySelectorAll('#rows .principal').length,"
        " document.querySelectorAll('#rows .rights:not([hidden])').length,"
        " document.querySelector('#paper').hidden]; })"
    )
    assert report.print().startswith(b"%PDF")
    # And all is as it was before, when the printing is done.
    assert report.all("#rows .rights:not([hidden])") == []
    found: list[Any] = report.run("return window.printed")
    return found


def test_on_paper_all_rights_are_shown(report: Page) -> None:
    everybody = len(report.names)
    assert printed(report) == [everybody, everybody, True]


def test_on_paper_a_long_report_is_a_list(chrome: Chrome, tmp_path: Path) -> None:
    path = tmp_path / "long.html"
    path.write_text(page(samples.large(300)), "utf-8")
    report = Page(chrome, path)
    report.open()
    assert printed(report) == [300, 0, False]
    assert len(report.names) == 50
    assert not report.find("#paper").is_displayed()
    report.fill("search", "department07")
    few = int(report.count.split()[0])
    assert printed(report) == [few, few, True]


@pytest.fixture(scope="module")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "large.html"
    path.write_text(page(samples.large()), "utf-8")
    return path


def test_five_thousand_principals_are_shown_a_few_at_a_time(
    chrome: Chrome, large_file: Path
) -> None:
    assert large_file.stat().st_size < 3_000_000
    report = Page(chrome, large_file)
    report.open()
    assert report.count == "All 5,000"
    assert len(report.names) == 50
    report.find("#more").click()
    assert len(report.names) == 100
    # Where a reader goes on: at the first of those that are new.
    assert report.run("return document.activeElement.textContent") == report.names[50]
    report.fill("search", "engineer-0421")
    assert report.count == "1 of 5,000"
    assert not report.find("#more").is_displayed()


def axe_core() -> str:
    """The engine of the accessibility checks, as selenium-axe-python carries it."""
    return files("selenium_axe_python").joinpath("axe-core/axe.min.js").read_text("utf-8")
