"""Mappings joined with RBAC: what each principal can do, and who can do what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from authenticator.access.impersonation import CONSTRAINED, Impersonated, Impersonation
from authenticator.access.join import UNBOUND, How, Joiner, Link
from authenticator.access.principals import Entrants, Principal
from authenticator.access.rbac import MASTERS_GROUP, Binding, Rbac, Subject
from authenticator.access.risk_table import BY_REQUEST, CHOSEN_NAME, Severity
from authenticator.access.risks import Risks, risks_of, worst
from authenticator.access.rules import Request
from authenticator.aws.arns import PrincipalArn


@dataclass(frozen=True, slots=True)
class Standing:
    """What all principals with the same links can do.

    Attributes:
        links: to subjects that have rights.
        risks: of all of these rights, the severest first.
    """

    links: tuple[Link, ...]
    risks: Risks

    @property
    def severity(self) -> int:
        """That of the severest risk; 0 without any."""
        return max(self.risks.values(), default=0)


@dataclass(frozen=True, slots=True)
class Grant:
    """By which way a principal may do something.

    Attributes:
        link: the subject that they are, or may be.
        binding: what grants it; None for members of system:masters, who need none. By
            impersonation it is the binding that lets them be the target.
        impersonated: as whom they do it; None for themselves.
    """

    link: Link
    binding: Binding | None
    impersonated: Impersonated | None = None

    @property
    def namespace(self) -> str:
        """Where; "" for everywhere."""
        if self.impersonated:
            return self.impersonated.namespace
        return self.binding.namespace if self.binding else ""


class Report:
    """All principals of a cluster and what they can do; immutable."""

    def __init__(self, rbac: Rbac, entrants: Entrants, coverage: str = "") -> None:
        """Join the two.

        Args:
            rbac: the cluster's.
            entrants: whom the mappings let in.
            coverage: which sources of mappings were read and which were not, in one line.
        """
        self.coverage = coverage
        self.rbac = rbac
        self.entrants = entrants
        self.binding_risks = {binding: risks_of(rbac, binding) for binding in rbac.bindings}
        self._joiner = Joiner(rbac)
        self._impersonation = Impersonation(rbac)
        self._standings: dict[tuple[Link, ...], Standing] = {}
        joined = [(principal, self.standing(principal)) for principal in entrants.principals]
        joined.sort(key=lambda pair: (-pair[1].severity, -len(pair[1].risks), pair[0].arn))
        self.principals = tuple(joined)

    def subject_risks(self, subject: Subject) -> Risks:
        """The risks of all that is granted to a subject."""
        bindings = self.rbac.by_subject.get(subject, ())
        granted = (self.binding_risks[binding] for binding in bindings)
        return worst((*granted, UNBOUND.get(subject, {})))

    def standing(self, principal: Principal) -> Standing:
        """What a principal can do. Equal ones are the same object."""
        links = self._joiner.links(principal)
        known = self._standings.get(links)
        if known is None:
            risks = [self.subject_risks(link.subject) for link in links]
            risks.append(self._risks_as_others(links))
            if any(link.how is How.SESSION for link in links):
                risks.append({CHOSEN_NAME.id: CHOSEN_NAME.severity})
            known = self._standings[links] = Standing(links, worst(risks))
        return known

    def who_can(
        self, request: Request, namespace: str | None
    ) -> Iterator[tuple[Principal, tuple[Grant, ...]]]:
        """The principals that may do something, and by which ways.

        Args:
            request: what.
            namespace: where; "" for the cluster as a whole, None for anywhere.
        """
        granting = frozenset(self.rbac.granting(request, namespace))
        ways: dict[tuple[Link, ...], tuple[Grant, ...]] = {}
        for principal, standing in self.principals:
            grants = ways.get(standing.links)
            if grants is None:
                own = tuple(self._grants(standing.links, granting))
                others = self._as_others(standing.links, own, request, namespace)
                grants = ways[standing.links] = (*own, *others)
            if grants:
                yield principal, grants

    def of(self, arn: PrincipalArn) -> tuple[tuple[Principal, Standing], ...]:
        """What a caller with this ARN can do, by each mapping that may apply to it."""
        return tuple((principal, self.standing(principal)) for principal in self.entrants.of(arn))

    def _grants(self, links: Iterable[Link], granting: frozenset[Binding]) -> Iterator[Grant]:
        for link in links:
            if link.subject == MASTERS_GROUP:
                yield Grant(link, None)
            for binding in self.rbac.by_subject.get(link.subject, ()):
                if binding in granting:
                    yield Grant(link, binding)

    def _as_others(
        self,
        links: Sequence[Link],
        own: Sequence[Grant],
        request: Request,
        namespace: str | None,
    ) -> Iterator[Grant]:
        """What impersonation adds to grants of one's own: the places where there is none."""
        places = {grant.namespace for grant in own}
        if "" in places:
            return
        by_binding = self._links_of_bindings(links)
        for way in self._impersonation.ways(tuple(by_binding), request, namespace):
            if way.namespace not in places:
                link = _with_condition(by_binding[way.by], by_binding[way.on or way.by])
                yield Grant(link, way.by, way)

    def _risks_as_others(self, links: Sequence[Link]) -> Risks:
        """The risks of what constrained impersonation allows; legacy has a risk that says all."""
        own = tuple(self._links_of_bindings(links))
        found: dict[str, Severity] = {}
        for risk in BY_REQUEST:
            for sign in risk.signs:
                for way in self._impersonation.ways(own, sign, None, CONSTRAINED):
                    severity = risk.severity_in(way.namespace)
                    if severity is not None:
                        found[risk.id] = max(severity, found.get(risk.id, severity))
        return found

    def _links_of_bindings(self, links: Iterable[Link]) -> dict[Binding, Link]:
        found: dict[Binding, Link] = {}
        for link in links:
            for binding in self.rbac.by_subject.get(link.subject, ()):
                found.setdefault(binding, link)
        return found


def _with_condition(by: Link, on: Link) -> Link:
    """The subject that lets a principal impersonate, with the condition of both rights."""
    return by if on.how is How.NAME else replace(by, how=on.how)
