"""What is particular to the ConfigMap aws-auth."""

from __future__ import annotations

from typing import Any

from authenticator.mapping.guards import Guard
from authenticator.mapping.sections import SectionReader
from authenticator.sources.config_map import AwsAuth

ROLES = '[{"rolearn": "arn:aws:iam::111122223333:role/Dev", "username": "dev"}]'


def config_map(**content: Any) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": "1", "uid": "u"}, **content}


def test_a_section_that_kubectl_put_under_binary_data_keeps_its_last_good_rules() -> None:
    """kubectl does so with a file that has one byte that is not UTF-8."""
    documents = AwsAuth(SectionReader("EKSConfigMap", Guard()))
    documents.listed([config_map(data={"mapRoles": ROLES})], now=1.0)
    documents.changed("MODIFIED", config_map(binaryData={"mapRoles": "/w=="}), now=2.0)
    section = next(s for s in documents.sections() if s.name == "mapRoles")
    assert len(section.rules) == 1
    assert "binaryData" in section.problems[0].reason
    assert documents.texts()() == {"mapRoles": ROLES}
