"""What a stage script depends on, read from its source: the modules it imports, and the parameters it uses.

A file that asks a registry depends on all that files of ours register there: the import of ``SOURCES`` counts as an
import of all sources. What other packages register is theirs to version.

``python tests/closures.py`` prints both for every stage, ready to be copied into ``dvc.yaml``.
"""

import ast
from functools import cache
from pathlib import Path

from lodestone.config import registry

ROOT = Path(__file__).parents[1]
EVERYTHING = "*"
BY_FILE = ("curation", "runtime", "tables")  # rooms of which a stage declares single files

# Not declared, because a change there changes no artifact: messages, file names (which dvc.yaml holds, too), processes,
# progress bars, clocks; and the classes that hold the parameters, whose values DVC tracks one by one.
PLUMBING = {
    *(f"pipeline/lodestone/{name}.py" for name in ("errors", "stage", "tables/layout")),
    *(f"pipeline/lodestone/runtime/{name}.py" for name in ("disk", "kernels", "processes", "progress", "redaction")),
    "pipeline/lodestone/runtime/working_tree.py",
    *(
        f"pipeline/lodestone/config/{name}.py"
        for name in ("discovery", "load", "params", "promotion", "registry", "rounds", "sections")
    ),
    "pipeline/lodestone/config/elements.py",  # the names of the elements do not change
}


REGISTRIES = {name: found.package for name, found in vars(registry).items() if isinstance(found, registry.Registry)}


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def module_file(name: str) -> Path | None:
    """File of a module of ours, relative to the root; ``None`` for other people's modules."""
    base = Path("pipeline", *name.split("."))
    found = [path for path in (base.with_suffix(".py"), base / "__init__.py") if (ROOT / path).is_file()]
    return found[0] if found else None


def imported_modules(path: Path) -> set[Path]:
    """Files of ours that a file imports anywhere, except for type checking; packages on the way included."""
    names = set()
    for node in _running_code(parse(ROOT / path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            names |= _registered(path, node)
    parents = {name.rsplit(".", depth)[0] for name in names for depth in range(name.count(".") + 1)}
    return {found for name in names | parents if (found := module_file(name)) is not None}


def _registered(path: Path, node: ast.ImportFrom) -> set[str]:
    """Modules behind the registries that an import names; the parameters' own use of them chooses no code to run."""
    asked = {alias.name for alias in node.names} & set(REGISTRIES) if node.module == registry.__name__ else set()
    packages = [REGISTRIES[name] for name in asked if path.as_posix() not in PLUMBING]
    folders = [(package, ROOT / "pipeline" / Path(*package.split("."))) for package in packages]
    return {f"{package}.{file.stem}" for package, folder in folders for file in folder.glob("*.py")}


def closure(path: Path) -> set[Path]:
    """All files of ours that run when a script runs, the script itself excluded."""
    seen: set[Path] = set()
    waiting = [path]
    while waiting:
        new = imported_modules(waiting.pop()) - seen
        seen |= new
        waiting += new
    return seen - {path}


def is_empty_package(path: Path) -> bool:
    """Whether a file is an ``__init__`` with nothing but a docstring and dunder names."""
    harmless = (ast.Expr, ast.Assign)
    return path.name == "__init__.py" and all(isinstance(node, harmless) for node in parse(ROOT / path).body)


def used_sections(path: Path) -> set[str]:
    """Sections of the parameters that a stage script uses; ``*`` where they are passed on beyond what can be followed.

    Attributes count (``params.oracle``), and so do those in functions that receive the parameters as a whole.
    """
    main = functions(path)["main"]
    return _sections(path, main, {name for name, value in _assignments(main) if _is_load(value)})


def functions(path: Path) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in parse(ROOT / path).body if isinstance(node, ast.FunctionDef)}


def _sections(path: Path, function: ast.FunctionDef, names: set[str]) -> set[str]:
    def is_whole(node: ast.AST) -> bool:
        return _is_load(node) or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names)

    used: set[str] = set()
    explained = {value for _, value in _assignments(function) if _is_load(value)}
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and is_whole(node.value):
            used.add(node.attr.rstrip("_"))
            explained.add(node.value)
        elif isinstance(node, ast.Call):
            for position, argument in _arguments(node):
                if is_whole(argument):
                    used |= _sections_of_callee(path, node, position)
                    explained.add(argument)
    unexplained = any(is_whole(node) and node not in explained for node in ast.walk(function))
    return used | ({EVERYTHING} if unexplained else set())


def _sections_of_callee(path: Path, call: ast.Call, position: int | str) -> set[str]:
    if not isinstance(call.func, ast.Name):
        return {EVERYTHING}
    where = path
    for node in parse(ROOT / path).body:
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and call.func.id in {a.asname or a.name for a in node.names}
        ):
            where = module_file(node.module) or path
    callee = functions(where).get(call.func.id)
    if callee is None:  # a class keeps them, or the callee is not ours
        return {EVERYTHING}
    return _sections(where, callee, {callee.args.args[position].arg if isinstance(position, int) else position})


def _arguments(call: ast.Call) -> list[tuple[int | str, ast.expr]]:
    return [*enumerate(call.args), *((keyword.arg or 0, keyword.value) for keyword in call.keywords)]


def _assignments(function: ast.FunctionDef) -> list[tuple[str, ast.AST]]:
    """Names and what is assigned to them, pairs unpacked."""
    pairs: list[tuple[str, ast.AST]] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                both = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
                found = zip(target.elts, node.value.elts, strict=True) if both else [(target, node.value)]
                pairs += [(name.id, value) for name, value in found if isinstance(name, ast.Name)]
    return pairs


def _is_load(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "load_params"


def _running_code(tree: ast.AST) -> list[ast.AST]:
    found: list[ast.AST] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        found += [node, *_running_code(node)]
    return found


def declared_form(files: set[Path]) -> list[str]:
    """Dependencies as `dvc.yaml` has them: whole rooms, but single files of the rooms that serve everybody."""
    rooms = {path if path.parts[2] in BY_FILE else Path(*path.parts[:3]) for path in files}
    return sorted(room.as_posix() for room in rooms)


def closure_that_counts(script: Path) -> set[Path]:
    """Files of ours that run when a script runs and that can change a result."""
    return {path for path in closure(script) if not is_empty_package(path) and path.as_posix() not in PLUMBING}


if __name__ == "__main__":
    for script in sorted((ROOT / "stages").glob("*.py")):
        needed = declared_form(closure_that_counts(script.relative_to(ROOT)))
        sections = sorted(used_sections(script.relative_to(ROOT)))
        print(f"{script.stem}:\n  params: {sections}\n  deps:", *needed, sep="\n    - ")
