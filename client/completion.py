"""The verb ``completion``: teach bash, zsh or fish the command's verbs and flags.

The scripts ask the command itself, so that they know every verb of the version installed.
"""

from __future__ import annotations

from typing import Any

from . import command, flags
from .errors import UsageError

_BASH = """\
_aws_iam_authenticator() {
    local current=${COMP_WORDS[COMP_CWORD]} words
    if [[ $COMP_CWORD -eq 1 ]]; then
        words=$(COMMAND --help | sed -n 's/^  \\([a-z][a-z-]*\\)  .*/\\1/p')
    elif [[ $current == -* ]]; then
        words=$(COMMAND "${COMP_WORDS[1]}" --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]+')
    fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _aws_iam_authenticator COMMAND
"""
_ZSH = """\
#compdef COMMAND
_aws_iam_authenticator() {
    if (( CURRENT == 2 )); then
        compadd -- ${(f)"$(COMMAND --help | sed -n 's/^  \\([a-z][a-z-]*\\)  .*/\\1/p')"}
    elif [[ $words[CURRENT] == -* ]]; then
        compadd -- ${(f)"$(COMMAND $words[2] --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]+')"}
    else
        _files
    fi
}
compdef _aws_iam_authenticator COMMAND
"""
_FISH = """\
function __aws_iam_authenticator_flags
    set -l words (commandline -opc)
    COMMAND $words[2] --help 2>/dev/null | string match -ra -- '--[a-z][a-z-]+'
end
complete -c COMMAND -n __fish_use_subcommand -f \\
    -a "(COMMAND --help | string replace -rf '^  ([a-z][a-z-]+)  +(.*)' '\\$1\\t\\$2')"
complete -c COMMAND -n 'string match -q -- "-*" (commandline -ct)' -f \\
    -a '(__aws_iam_authenticator_flags)'
"""
_SHELLS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def main(arguments: list[str]) -> int:
    """Run the verb and return the exit code."""
    return flags.run("completion", arguments, _run)


def _run(given: Any) -> str:
    if len(given.words) != 1 or given.words[0] not in _SHELLS:
        raise UsageError(f"name one shell: {command.COMMAND} completion {'|'.join(_SHELLS)}")
    return _SHELLS[given.words[0]].replace("COMMAND", command.COMMAND).removesuffix("\n")
