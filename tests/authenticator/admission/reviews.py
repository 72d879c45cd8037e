"""AdmissionReviews for tests, as an API server posts them."""

from __future__ import annotations

import json
from typing import Any

Object = dict[str, Any]

ADMIN_ARN = "arn:aws:sts::111122223333:assumed-role/Admin/alice"
ALICE: Object = {
    "username": "admin:alice",
    "groups": ["system:masters", "system:authenticated"],
    "uid": "aws-iam-authenticator:111122223333:AROAEXAMPLEEXAMPLE123:alice",
    "extra": {"arn": [ADMIN_ARN], "canonicalArn": ["arn:aws:iam::111122223333:role/Admin"]},
}
CERTIFICATE: Object = {"username": "kubernetes-admin", "groups": ["system:masters"]}

CONFIG_MAP = ("", "v1", "ConfigMap")
IDENTITY = ("iamauthenticator.k8s.aws", "v1alpha1", "IAMIdentityMapping")


def config_map(
    data: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    name: str = "aws-auth",
    namespace: str = "kube-system",
    **more: Any,
) -> Object:
    metadata: Object = {"name": name, "namespace": namespace, "uid": "1"}
    if annotations is not None:
        metadata["annotations"] = annotations
    return {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": metadata,
        **({} if data is None else {"data": data}),
        **more,
    }


def roles(*entries: Object, **more: str) -> dict[str, str]:
    return {"mapRoles": json.dumps(entries), **more}


def identity(name: str, annotations: dict[str, str] | None = None, **spec: Any) -> Object:
    metadata: Object = {"name": name, "uid": "1"}
    if annotations is not None:
        metadata["annotations"] = annotations
    return {
        "apiVersion": "iamauthenticator.k8s.aws/v1alpha1",
        "kind": "IAMIdentityMapping",
        "metadata": metadata,
        "spec": spec,
    }


def review(
    old: Object | None,
    new: Object | None,
    user: Object = CERTIFICATE,
    kind: tuple[str, str, str] = CONFIG_MAP,
    **more: Any,
) -> Object:
    operation = "CREATE" if old is None else "DELETE" if new is None else "UPDATE"
    group, version, name = kind
    given = ((new or old or {}).get("metadata") or {}).get("name", "")
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": group, "version": version, "kind": name},
            "operation": operation,
            "name": given,
            "userInfo": user,
            "object": new,
            "oldObject": old,
            "dryRun": False,
            "options": {"kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1"},
            **more,
        },
    }


def body(review_: Object) -> bytes:
    return json.dumps(review_).encode()
