"""Builds the distribution that setup.cfg describes.

The wheel gets docs/lint.md, for `lint --explain`, and an additional module: `client/hot.py` holds
the modules that every token needs. Finding and reading ten files takes as long as running them
(docs/adr/0016-installed-command.md).
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PACKAGE = Path(__file__).resolve().parent / "client"
# The explanations of lint's rules, for `lint --explain`.
RULES = PACKAGE.parent / "docs" / "lint.md"
RULES_PAGE = ("authenticator", "lint", "rules.md")
# The module that starts `token`; it imports the others.
_FIRST = "command"
_HEAD = '''\
"""Made by setup.py: the modules that a token from ready credentials needs, in one file."""
import sys

def _add(name, run):
    module = sys.modules["client." + name] = type(sys)("client." + name)
    module.__package__ = "client"
    type(run)(run.__code__, module.__dict__)()
    setattr(sys.modules["client"], name, module)

'''
_TAIL = f'start = sys.modules["client.{_FIRST}"].start\n'


class Strip(ast.NodeTransformer):
    """Drops annotations and docstrings, which the command does not need."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        """Drop a parameter's annotation."""
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Drop a result's annotation."""
        self.generic_visit(node)
        node.returns = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt | None:
        """Leave the assignment, if it is one."""
        if node.value is None:
            return None
        return ast.Assign([node.target], node.value)

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        """Replace a text that only stands there."""
        constant = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return ast.Pass() if constant else node


def hot_names() -> list[str]:
    """Name the modules that the first imports when it is imported, each after what it imports."""
    found: list[str] = []

    def add(name: str) -> None:
        tree = ast.parse((PACKAGE / f"{name}.py").read_text("utf-8"))
        for imported in _imports(tree):
            if imported not in found:
                add(imported)
        found.append(name)

    add(_FIRST)
    return found


def _imports(tree: ast.Module) -> Iterator[str]:
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.level == 1:
            yield from (
                [statement.module]
                if statement.module
                else [alias.name for alias in statement.names]
            )


def hot_source() -> str:
    """Return the source of `client/hot.py`.

    The code of a module becomes a function, whose names are all global, and runs with the module's
    own globals.
    """
    parts = [_HEAD]
    for name in hot_names():
        source = (PACKAGE / f"{name}.py").read_text("utf-8")
        table = symtable.symtable(source, f"{name}.py", "exec")
        bound = [each.get_name() for each in table.get_symbols() if _is_bound(each)]
        tree = Strip().visit(ast.parse(source))
        function = ast.FunctionDef(
            name=f"_{name}",
            args=ast.arguments([], [], None, [], [], None, []),
            body=[ast.Global(bound), *tree.body],
            decorator_list=[],
        )
        parts.append(ast.unparse(ast.fix_missing_locations(function)))
        parts.append(f"_add({name!r}, _{name})\n")
    return "\n".join([*parts, _TAIL])


def _is_bound(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()


class BuildPy(build_py):  # type: ignore[misc] # setuptools has no types
    """Adds the module to a wheel; an editable installation runs the sources."""

    def run(self) -> None:
        """Copy the packages, then write the module next to them."""
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib, "client", "hot.py")
            target.write_text(hot_source(), "utf-8")
            self.byte_compile([str(target)])
            self.copy_file(str(RULES), str(Path(self.build_lib, *RULES_PAGE)))

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Name the module too."""
        made = [("client", "hot.py"), RULES_PAGE] if not self.editable_mode else []
        return [
            *super().get_outputs(include_bytecode),
            *(str(Path(self.build_lib, *parts)) for parts in made),
        ]


if __name__ == "__main__":
    setup(cmdclass={"build_py": BuildPy})
