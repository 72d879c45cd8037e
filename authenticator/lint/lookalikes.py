"""Names that look like other names.

Kubernetes compares names byte by byte. A reader compares what is drawn: `System:masters`, or a
Cyrillic `a` in `admins`, is taken for a name that it is not. A skeleton is what stays of a name
once the differences that a reader may miss are taken away; names with one skeleton look alike.

Source: Unicode Technical Standard 39, section 4, "Confusable Detection". Of its table of 6,000
characters this has those that look like ASCII in a usual font and that NFKD does not map to it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from authenticator.mapping.guards import SYSTEM

# Groups and usernames that Kubernetes itself gives rights to, in a cluster as it is installed.
# Source: Kubernetes, "Using RBAC Authorization", "Default roles and role bindings".
_KUBERNETES = (
    "system:masters",
    "system:nodes",
    "system:bootstrappers",
    "system:authenticated",
    "system:unauthenticated",
    "system:serviceaccounts",
    "system:monitoring",
    "system:node-proxier",
    "system:anonymous",
    "system:apiserver",
    "system:kube-controller-manager",
    "system:kube-scheduler",
    "system:kube-proxy",
    "cluster-admin",
    "kubeadm:cluster-admins",
)
# By the ASCII character, those that look like it: Latin extensions, Greek, Cyrillic, Armenian,
# Cherokee and Lisu letters, and punctuation.
_ALIKE = {
    "a": "\u0251\u03b1\u0430",
    "A": "\u0391\u0410\u13aa\ua4ee",
    "b": "\u0184\u042c\u044c",
    "B": "\u0392\u0412\u13f4\ua4d0",
    "c": "\u1d04\u03f2\u0441",
    "C": "\u03f9\u0421\u13df\ua4da",
    "d": "\u0501\u13e7",
    "D": "\u13a0\ua4d3",
    "e": "\u0435\u04bd",
    "E": "\u0395\u0415\u13ac\ua4f0",
    "f": "\u017f\u0584",
    "F": "\u03dc\ua4dd",
    "g": "\u0261\u0581",
    "G": "\u050c\u13c0\ua4d6",
    "h": "\u04bb\u0570",
    "H": "\u0397\u041d\u13bb\ua4e7",
    "i": "\u0131\u0269\u03b9\u0456\u04cf",
    "I": "\u0399\u0406\u04c0\ua4f2",
    "j": "\u03f3\u0458",
    "J": "\u0408\u13ab\ua4d9",
    "K": "\u039a\u041a\u13e6\ua4d7",
    "L": "\u13de\ua4e1",
    "M": "\u039c\u041c\u13b7\ua4df",
    "n": "\u0578\u057c",
    "N": "\u039d\ua4e0",
    "o": "\u1d0f\u03bf\u03c3\u043e\u0585",
    "O": "\u039f\u041e\u0555\ua4f3",
    "p": "\u03c1\u0440",
    "P": "\u03a1\u0420\u13e2\ua4d1",
    "q": "\u051b\u0566",
    "r": "\u1d26\u0433",
    "R": "\u13a1\ua4e3",
    "s": "\ua731\u0455",
    "S": "\u0405\u054f\u13da\ua4e2",
    "T": "\u03a4\u0422\u13a2\ua4d4",
    "u": "\u1d1c\u03c5\u057d",
    "U": "\u054d\ua4f4",
    "v": "\u1d20\u03bd\u0475",
    "V": "\u0474\u13d9\ua4e6",
    "w": "\u1d21\u0461\u051d",
    "W": "\u051c\u13b3\ua4ea",
    "x": "\u0445",
    "X": "\u03a7\u0425\ua4eb",
    "y": "\u028f\u03b3\u0443\u04af",
    "Y": "\u03a5\u04ae\ua4ec",
    "z": "\u1d22",
    "Z": "\u0396\u13c3\ua4dc",
    ":": "\u02d0\u02f8\u0589\u05c3\u0703\u2236\ua789\ua4fd",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2212\u02d7\u06d4",
    ".": "\u2024\u0660\u06f0\ua4f8",
    "/": "\u2044\u2215\u1735",
}
_TO_ASCII = str.maketrans({other: letter for letter, others in _ALIKE.items() for other in others})
# ASCII that looks like other ASCII. Letters that are two wide come last.
_ROUGH = str.maketrans("0O1I|!5;_,", "oolllls:-.")
_WIDE = (("rn", "m"), ("vv", "w"))


def as_ascii(text: str) -> str:
    """Return the ASCII text that `text` looks like; "" if a character looks like none."""
    drawn = unicodedata.normalize("NFKD", text).translate(_TO_ASCII)
    return drawn if drawn.isascii() else ""


def skeletons(name: str) -> frozenset[str]:
    """Return what `name` looks like to a reader who sees no case, whichever case `I` is meant in.

    Two names look alike if they have a skeleton in common.
    """
    drawn = unicodedata.normalize("NFKD", name).translate(_TO_ASCII)
    return frozenset(_rough(spelled) for spelled in (drawn, drawn.casefold()))


def _rough(text: str) -> str:
    folded = text.translate(_ROUGH).casefold()
    for wide, narrow in _WIDE:
        folded = folded.replace(wide, narrow)
    return folded


_BY_SKELETON = {skeleton: name for name in _KUBERNETES for skeleton in skeletons(name)}
_PREFIXES = tuple(skeletons(SYSTEM))


def kubernetes_name(name: str) -> str:
    """Return the name of Kubernetes that `name` looks like without being one; "" for none.

    Args:
        name: a username or group, or the text that it begins with.
    """
    own = skeletons(name)
    found = next((_BY_SKELETON[one] for one in own if one in _BY_SKELETON), "")
    if found:
        return found if found != name else ""
    looks_reserved = any(one.startswith(_PREFIXES) for one in own)
    return f"{SYSTEM}..." if looks_reserved and not name.startswith(SYSTEM) else ""


def strange_letter(text: str) -> str:
    """Return the first letter of another script in a text with ASCII letters; "" for none."""
    letters = [letter for letter in text if letter.isalpha()]
    if not any(letter.isascii() for letter in letters):
        return ""
    return next(_foreign(letters), "")


def _foreign(letters: list[str]) -> Iterator[str]:
    return (letter for letter in letters if not unicodedata.name(letter, "").startswith("LATIN"))
