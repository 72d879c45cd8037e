"""What lint found, and where."""

from __future__ import annotations

from dataclasses import dataclass

from authenticator.lint.rules import LintRule, Severity


@dataclass(frozen=True, slots=True)
class Place:
    """Where a finding stands.

    Attributes:
        document: the file or the object.
        section: "mapRoles", ..., the name of a custom resource; "" for the document as a whole.
        index: the entry's place in its section, counted from 0; -1 for the section as a whole.
        line: counted from 1, of the file, or of the value of a ConfigMap; 0 if unknown.
        column: counted from 1; 0 if unknown.
    """

    document: str
    section: str = ""
    index: int = -1
    line: int = 0
    column: int = 0

    @property
    def entry(self) -> str:
        """`mapRoles[2]`."""
        return f"{self.section}[{self.index}]" if self.index >= 0 else self.section

    def __str__(self) -> str:
        """`aws-auth.yaml:14:5`, as compilers write it."""
        numbers = [str(number) for number in (self.line, self.column) if number]
        return ":".join([self.document, *numbers])


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    Attributes:
        rule: the rule that found it.
        message: what is wrong and what to do, in one line.
        place: where.
    """

    rule: LintRule
    message: str
    place: Place

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.rule.severity

    def __str__(self) -> str:
        """`aws-auth.yaml:14:5: error: mapRoles[2]: it names nobody [no-principal]`."""
        entry = f"{self.place.entry}: " if self.place.entry else ""
        return f"{self.place}: {self.severity.value}: {entry}{self.message} [{self.rule.id}]"
