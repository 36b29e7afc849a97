"""Imports point one way: errors, model, templates <- catalog <- compile <- deploy <- twin, serve <- commands <- cli."""

from __future__ import annotations

import ast
from pathlib import Path

import aamic

PACKAGE = Path(aamic.__file__).parent
SHIPPED = PACKAGE / "agent/health"
"""On hosts it has another name, so its modules find each other by relative imports, and know nothing else."""

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "agent": {"agent"},
    "templates": set(),
    "model": {"errors", "model"},
    "catalog": {"errors", "model", "templates", "agent", "catalog"},
    "compile": {"errors", "model", "templates", "catalog", "compile"},
    "clients": {"errors", "model", "clients"},
    "views": {"errors", "model", "views"},
    "ops": {"errors", "model", "agent", "catalog", "compile", "clients", "ops"},
    "twin": {"errors", "model", "templates", "agent", "catalog", "compile", "clients", "views", "deploy", "twin"},
    "serve": {"errors", "model", "clients", "views", "ops", "serve"},
    "deploy": {"errors", "model", "agent", "compile", "clients", "deploy"},
    "commands": {
        "errors",
        "model",
        "catalog",
        "compile",
        "clients",
        "views",
        "deploy",
        "ops",
        "twin",
        "serve",
        "commands",
    },
    "cli": {"errors", "catalog", "commands", "views"},
    "__main__": {"cli"},
}


def imports(path: Path) -> set[str]:
    """The layers of aamic that a module imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""] if node.module != "aamic" else [f"aamic.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            relative = isinstance(node, ast.ImportFrom) and node.level
            assert not relative or SHIPPED in path.parents, f"{path}: relative import"
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("aamic.")}
    return found


def layer(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def test_imports_point_one_way() -> None:
    against = [
        f"{path.relative_to(PACKAGE)} imports {other}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if layer(path) != "__init__"
        for other in sorted(imports(path) - MAY_IMPORT[layer(path)])
    ]

    assert against == []


def test_table_is_imported_by_name_only_where_the_catalog_is_chosen() -> None:
    importers = [
        str(path.relative_to(PACKAGE))
        for path in sorted(PACKAGE.rglob("*.py"))
        if "aamic.catalog.table" in path.read_text()
    ]

    assert importers == ["compile/compiler.py"]


def test_products_do_not_import_each_other() -> None:
    against = [
        f"{path.relative_to(PACKAGE)}: {line}"
        for kind in ("exporters", "vendors", "artifacts")
        for path in sorted((PACKAGE / "catalog" / kind).rglob("*.py"))
        for line in path.read_text().splitlines()
        if line.startswith(f"from aamic.catalog.{kind}.")
        and line.split()[1].split(".")[3] != path.relative_to(PACKAGE / "catalog" / kind).parts[0]
    ]

    assert against == []
