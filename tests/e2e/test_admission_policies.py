"""A real API server's policies tell an empty mapRoles from a full one, however it is written."""

from __future__ import annotations

import itertools
import json
import random
from functools import partial
from typing import TYPE_CHECKING

import pytest

from authenticator.mapping.files import AwsAuthData
from authenticator.mapping.guards import Guard
from authenticator.mapping.nodes import Text
from authenticator.mapping.sections import SectionReader
from authenticator.sources.cluster import ClusterError
from authenticator.sources.kubernetes_api import KubernetesApi, configuration
from dev.cluster import Options
from dev.waiting import wait_until
from tests.e2e import manifests
from tests.e2e.administrator import Administrator
from tests.examples import examples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.conftest import StartControlPlane

pytestmark = pytest.mark.cluster

PLACE = "/api/v1/namespaces/kube-system/configmaps"
ARN = "arn:aws:iam::111122223333:role/Node"
FULL = f"- rolearn: {ARN}\n  username: node\n"

# Each stands where a list of entries should, and none is a list with an entry of a principal.
NOTHING = (
    *("", "null", "Null", "NULL", "~", "''", '""', "``", "' '", '"\\n"', "|", ">-", "|+\n\n"),
    *("[]", "[ ]", "[\n]", "[\t]", "{}", "{ }", "{\n}", "!!null", "!!null ''", "!!seq []", "&a []"),
    *(
        "&a ~",
        "-",
        "- ",
        "- ~",
        "- null",
        "- ''",
        "- {}",
        "- []",
        "-\n-",
        "[null]",
        "[~, ~]",
        "[{}]",
    ),
    *(
        "[[]]",
        "- # gone",
        "- rolearn:",
        "- rolearn: ''",
        "- rolearn: ~",
        "- username: x",
        "{rolearn: }",
    ),
    *(
        "- {rolearn: }",
        "[{rolearn: null}]",
        "- sso: {}",
        "- sso: {permissionSetName: , accountID: }",
    ),
    *("- sso:\n    permissionSetName: Admin", f"# {ARN}", f"- # {ARN}", f"-\t# {ARN}", "- Admin"),
)
BEFORE = (
    "",
    "---",
    "--- ",
    "---\n",
    "%YAML 1.1\n---\n",
    "# none\n",
    "\n\n",
    " ",
    "# none\n---\n# x\n",
)
AFTER = (
    "",
    "\n",
    " # none",
    f"\n# {FULL}",
    "\n...\n",
    f"\n---\n{FULL}",
    f"\n...\n---\n{FULL}",
    "\r\n",
)
# The same entry in other spellings, which no policy may refuse.
SPELLINGS = {
    "block": FULL,
    "marked": f"--- # roles\n{FULL}",
    "marked after a comment": f"# roles\n---\n{FULL}",
    "with a directive": f"%YAML 1.1\n---\n{FULL}",
    "and a second document": f"{FULL}---\n[]\n",
    "with line breaks of Windows": FULL.replace("\n", "\r\n"),
    "JSON": json.dumps([{"rolearn": ARN, "username": "node"}]),
    "JSON in lines": json.dumps([{"rolearn": ARN, "username": "node"}], indent=2),
    "flow": f"[{{rolearn: {ARN}, username: node}}]",
    "flow after a mark": f"--- [{{rolearn: {ARN}, username: node}}]",
    "in quotes": f"- 'rolearn': \"{ARN}\"\n  username: node\n",
    "folded": f"- rolearn: >-\n    {ARN}\n  username: node\n",
    "capitals": f"- ROLEARN: {ARN.upper()}\n  username: node\n",
    "with a comment": f"- rolearn: {ARN} # nodes\n  username: node\n",
    "with a number sign": f"- username: node#1\n  rolearn: {ARN}\n",
    "an empty one first": f"-\n{FULL}",
    "partition": FULL.replace("arn:aws:", "arn:aws-us-gov:"),
    "session": "- rolearn: arn:aws:sts::111122223333:assumed-role/Node/x\n  username: node\n",
    "permission set": (
        "- sso:\n    permissionSetName: Admin\n    accountID: '111122223333'\n  username: x\n"
    ),
    "permission set as flow": (
        '[{"sso": {"permissionSetName": "A", "accountID": "111122223333"}, "username": "x"}]'
    ),
    "5,000 entries": "".join(FULL.replace("Node", f"Node{n:05}") for n in range(5000)),
    "comments first": f"{'# none yet' * 9}\n" * 2000 + FULL,
}


def in_force(text: str) -> int:
    """How many entries the server itself finds."""
    part = AwsAuthData({"mapRoles": Text(0, text)})
    return sum(section.size for section in part.sections(SectionReader("test", Guard())))


@pytest.fixture(scope="module")
def store(start_control_plane: StartControlPlane) -> Iterator[Callable[[str], str]]:
    """Have the API server judge an edit of mapRoles; "" when it would store it."""
    plane = start_control_plane(Options())
    administrator = Administrator(plane)
    administrator.write(FULL)
    for obj in manifests.render(manifests.ROOT / "admission"):
        if obj["kind"].startswith("ValidatingAdmissionPolicy"):
            administrator.apply(obj)
    api = KubernetesApi(partial(configuration, plane.admin_kubeconfig, ""))

    def judged(text: str) -> str:
        try:
            body = {"data": {"mapRoles": text}}
            api.request("PATCH", f"{PLACE}/aws-auth", {"dryRun": "All"}, body)
        except ClusterError as error:
            return str(error)
        return ""

    wait_until(lambda: judged("") != "", "the policies do not hold yet")
    return judged


def spellings_of_nothing() -> Iterator[str]:
    """All, each once, and some of what can be put around them."""
    yield from NOTHING
    around = [*itertools.product(BEFORE, NOTHING, AFTER)]
    chance = random.Random(20_261_127)
    size = min(examples(300), len(around))
    yield from ("".join(parts) for parts in chance.sample(around, size))


def test_an_empty_section_is_refused_in_any_spelling(store: Callable[[str], str]) -> None:
    differing = []
    for text in spellings_of_nothing():
        refusal = store(text)
        assert refusal == "" or "mapRoles would be empty" in refusal, text
        # Where the first document has nothing at all, the second one is the first.
        if (refusal == "") != (in_force(text) > 0):
            differing.append(text)
    assert differing == []


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS)
def test_a_section_with_an_entry_is_stored(store: Callable[[str], str], text: str) -> None:
    assert in_force(text)
    assert store(text) == ""
