"""Who else writes an object, so that an edit by hand would not last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from authenticator.sources.cluster import Object

# By tool: the names under which it writes (managedFields), labels and annotations, each with the
# value that it must have ("" for any).
_TOOLS: dict[str, tuple[frozenset[str], tuple[tuple[str, str], ...]]] = {
    "Argo CD": (
        frozenset({"argocd-controller", "argocd-application-controller"}),
        (("argocd.argoproj.io/tracking-id", ""), ("argocd.argoproj.io/instance", "")),
    ),
    "Flux": (
        frozenset({"kustomize-controller", "helm-controller"}),
        (
            ("kustomize.toolkit.fluxcd.io/name", ""),
            ("helm.toolkit.fluxcd.io/name", ""),
        ),
    ),
    "Helm": (
        frozenset({"helm"}),
        (("app.kubernetes.io/managed-by", "Helm"), ("meta.helm.sh/release-name", "")),
    ),
    "Terraform": (
        # The provider's requests have the User-Agent "HashiCorp/1.0 Terraform/...".
        frozenset({"Terraform", "HashiCorp", "terraform-provider-kubernetes"}),
        (("app.kubernetes.io/managed-by", "Terraform"),),
    ),
    "eksctl": (frozenset({"eksctl"}), (("app.kubernetes.io/managed-by", "eksctl"),)),
}


def managers(obj: Object) -> Iterator[tuple[str, str]]:
    """Yield each tool that manages an object, and by what that is seen.

    Args:
        obj: any object of Kubernetes, with its metadata.
    """
    metadata = obj.get("metadata") or {}
    writers = {
        str(entry.get("manager"))
        for entry in metadata.get("managedFields") or ()
        if entry.get("subresource", "") == ""
    }
    for tool, (names, marks) in _TOOLS.items():
        if found := sorted(writers & names):
            yield tool, f"field manager {found[0]}"
            continue
        for kind in ("labels", "annotations"):
            values = metadata.get(kind) or {}
            mark = next((k for k, v in marks if k in values and v in ("", values[k])), None)
            if mark:
                yield tool, f"{kind.removesuffix('s')} {mark}"
                break


def warning(title: str, objects: Iterable[Object]) -> str:
    """Return one sentence about the tools that manage objects; "" if there are none.

    Args:
        title: what the objects are, for people.
        objects: those that an edit changes.
    """
    found: dict[str, str] = {}
    for obj in objects:
        for tool, seen in managers(obj):
            found.setdefault(tool, seen)
    if not found:
        return ""
    tools = " and ".join(f"{tool} ({seen})" for tool, seen in found.items())
    return (
        f"{title}: managed by {tools}, whose next sync may undo this edit;"
        " make the change there as well"
    )
