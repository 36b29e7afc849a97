"""The pipeline in one call: site.yaml -> Document -> Site -> Fleet -> Tree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from aamic.catalog.base import Catalog
from aamic.compile.collector import collector_paused
from aamic.compile.findings import Findings
from aamic.compile.parse import Document, load
from aamic.compile.render import render
from aamic.compile.resolve import resolve
from aamic.compile.schema import site_model
from aamic.compile.validate import validate
from aamic.errors import InputError, Problem
from aamic.model.fleet import Fleet
from aamic.model.site import Site
from aamic.model.tree import Tree


@dataclass(frozen=True, slots=True)
class Checked:
    """A site without errors: what it says, what it means, and warnings."""

    site: Site
    fleet: Fleet
    warnings: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A checked site with its files; `sources` are those that the user wrote, as `Document` has them."""

    site: Site
    fleet: Fleet
    tree: Tree
    warnings: tuple[Problem, ...]
    sources: Mapping[str, bytes] = field(default_factory=dict, repr=False)


@cache
def shipped_catalog() -> Catalog:
    """The catalog that comes with aamic; read when first needed."""
    from aamic.catalog.table import CATALOG  # noqa: PLC0415  # commands that compile nothing do not pay for it

    return CATALOG


def check_site(path: Path, catalog: Catalog | None = None, *, dashboards: bool = False) -> Checked:
    """Read and check the site at `path`. Raises InputError with every problem found.

    With `dashboards` its fleet has those also if no Grafana shows them.
    """
    return check_document(load(path), catalog or shipped_catalog(), dashboards=dashboards)


def check_document(document: Document, catalog: Catalog, *, dashboards: bool = False) -> Checked:
    """Check a parsed site. Raises InputError with every problem found, warnings among them.

    Where part of the text could not be read, only that is told: what seems missing may stand there.
    """
    if not document.whole:
        raise InputError(in_order(document.problems))
    outcome = validate(document, site_model(catalog.exporters))
    findings = Findings(outcome.places, outcome.pruned | document.gaps, sound=not document.problems)
    fleet = None
    if outcome.site is not None:
        with collector_paused():
            fleet = resolve(
                outcome.site,
                document.inventory,
                catalog,
                findings,
                document.certificates.files,
                dashboards=dashboards,
            )
    problems = (*document.problems, *outcome.problems, *document.certificates.problems, *findings.problems)
    if outcome.site is None or fleet is None or any(problem.severity == "error" for problem in problems):
        raise InputError(in_order(problems))
    return Checked(outcome.site, fleet, in_order(problems))


def in_order(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Problems by file and line, as a person goes through them; each once."""
    once = dict.fromkeys(problems)
    return tuple(sorted(once, key=lambda problem: (problem.place is None, problem.place or 0, problem.message)))


def compile_site(path: Path, catalog: Catalog | None = None) -> Compiled:
    """Compile the site at `path`. Raises InputError with every problem found."""
    return compile_document(load(path), catalog or shipped_catalog())


def compile_document(document: Document, catalog: Catalog) -> Compiled:
    """Compile a parsed site. Raises InputError with every problem found."""
    checked = check_document(document, catalog)
    with collector_paused():
        tree = render(checked.fleet, catalog.artifacts)
    return Compiled(checked.site, checked.fleet, tree, checked.warnings, document.sources)
