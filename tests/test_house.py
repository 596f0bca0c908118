"""The rules of the house that no linter knows: sizes, layers, and what may not be named."""

import ast
import re
import statistics
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "agentctl"
GUARDS = PACKAGE / "core" / "guards"
MODULES = sorted(PACKAGE.rglob("*.py"))

PURE = {
    *("__future__", "abc", "base64", "bisect", "collections", "copy", "dataclasses", "datetime"),
    *("decimal", "difflib", "enum", "fractions", "functools", "hashlib", "heapq", "hmac"),
    *("itertools", "json", "math", "operator", "re", "string", "textwrap", "types", "typing"),
    "unicodedata",
}
# Files and terminals that need no import, and hash(), which differs from process to process.
IMPURE_BUILTINS = {"open", "input", "print", "hash", "eval", "exec", "__import__"}
CLOCKS = {"now", "utcnow", "today", "fromtimestamp"}
SDKS = {"anthropic", "openai"}

type_checking = re.compile(r"(typing\.)?TYPE_CHECKING")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, nodes: Iterator[ast.AST]) -> set[str]:
    """The dotted names that these nodes import; `from a import b` gives `a.b`."""
    package = module_name(path).split(".")
    package = package if path.name == "__init__.py" else package[:-1]
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return found


def at_import_time(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """The statements that run when a module is imported: no functions, no TYPE_CHECKING."""
    for node in body:
        if isinstance(node, ast.If) and type_checking.fullmatch(ast.unparse(node.test)):
            yield from at_import_time(node.orelse)
        elif isinstance(node, ast.If | ast.Try | ast.With | ast.ClassDef):
            for inner in ("body", "orelse", "finalbody"):
                yield from at_import_time(getattr(node, inner, []))
            for handler in getattr(node, "handlers", []):
                yield from at_import_time(handler.body)
        else:
            yield node


def test_the_top_level_has_what_it_should_have_and_nothing_else():
    """F03"""
    wanted = {"pyproject.toml", "agentctl", "policies", "tests", "completions", "README.md"}
    usual = {"LICENSE", "CHANGELOG.md", "requirements.lock"}
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}

    assert wanted | usual == found - {"build", "dist", "agentctl.egg-info"}


def test_no_file_is_longer_than_400_lines():
    sizes = {relative(path): len(path.read_text().splitlines()) for path in MODULES}
    median = statistics.median(sizes.values())

    assert {} == {path: size for path, size in sizes.items() if size > 400}, f"median {median}"


def test_no_function_is_longer_than_60_lines():
    long = [
        f"{relative(path)}:{node.lineno} {node.name}: {node.end_lineno - node.lineno + 1}"
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno >= 60
    ]

    assert [] == long


def test_nothing_is_called_utils_or_manager():
    files = [relative(path) for path in MODULES if path.stem in {"utils", "helpers", "misc"}]
    classes = [
        f"{relative(path)}:{node.lineno} {node.name}"
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and node.name.endswith("Manager")
    ]

    assert [] == files + classes


def test_modules_import_each_other_in_no_circle():
    names = {module_name(path) for path in MODULES}

    def known(dotted: str) -> str | None:
        owner = dotted.rpartition(".")[0]
        return dotted if dotted in names else owner if owner in names else None

    graph = {
        module_name(path): {known(name) for name in imports(path, at_import_time(tree(path).body))}
        - {None, module_name(path)}
        for path in MODULES
    }
    # Who imports nothing of what is left is in no circle; what remains is one, or leads to one.
    while free := [name for name, needs in graph.items() if not needs & graph.keys()]:
        for name in free:
            del graph[name]

    assert {} == {name: sorted(filter(None, needs & graph.keys())) for name, needs in graph.items()}


def test_every_broad_except_says_why_on_its_line():
    broad = re.compile(r"^\s*except(\s*:|.*\b(Exception|BaseException)\b)")
    reason = re.compile(r"#\s*(?!noqa|type:|pyright:|pragma)\w|#\s*noqa:[\w ,]+\W+\w")
    silent = [
        f"{relative(path)}:{number}"
        for path in MODULES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if broad.match(line) and not reason.search(line)
    ]

    assert [] == silent


def test_no_file_names_a_place_outside_the_project():
    # The brackets keep this file from naming them.
    foreign = re.compile(r"\b[s]hared/|/[w]ork/|[p]ypi\.org|[n]pmjs")
    skipped = {".git", ".venv", "build", "dist", "__pycache__", "demo"}
    hits: list[str] = []
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        if skipped & set(parts) or any(part.endswith("_cache") for part in parts):
            continue
        if ".hypothesis" in parts or not path.is_file():
            continue
        text = path.read_bytes().decode(errors="replace")
        if found := foreign.search(text):
            hits.append(f"{relative(path)}:{text.count(chr(10), 0, found.start()) + 1} {found[0]}")

    assert [] == hits


def test_every_guard_has_its_tests():
    tests = ROOT / "tests" / "core" / "guards"
    guards = [path.name for path in GUARDS.glob("*.py") if path.name != "__init__.py"]

    assert [] == sorted(name for name in guards if not (tests / f"test_{name}").is_file())


def test_guards_do_not_know_each_other():
    known = [
        f"{relative(path)}: {name}"
        for path in GUARDS.glob("*.py")
        for name in imports(path, ast.walk(tree(path)))
        if name.startswith("agentctl.core.guards")
    ]

    assert [] == known


def test_the_core_imports_only_what_is_pure():
    impure = [
        f"{relative(path)}: {name}"
        for path in (PACKAGE / "core").rglob("*.py")
        for name in sorted(imports(path, ast.walk(tree(path))))
        if name.partition(".")[0] not in PURE
        and not name.startswith("urllib.parse")
        and not name.startswith(("agentctl.core", "agentctl.errors", "agentctl.records"))
    ]

    assert [] == impure


def test_the_core_reads_no_clock_and_touches_nothing():
    calls = [
        f"{relative(path)}:{node.lineno} {ast.unparse(node.func)}"
        for path in (PACKAGE / "core").rglob("*.py")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Name) and node.func.id in IMPURE_BUILTINS)
            or (isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS)
        )
    ]

    assert [] == calls


def test_one_file_each_knows_an_sdk():
    knowing = [
        f"{relative(path)}: {sdk}"
        for path in MODULES
        for sdk in {name.partition(".")[0] for name in imports(path, ast.walk(tree(path)))} & SDKS
        if path.parent != PACKAGE / "models" or not path.stem.startswith(sdk)
    ]

    assert [] == knowing


def test_the_version_is_in_the_changelog():
    import agentctl

    changelog = (ROOT / "CHANGELOG.md").read_text()
    heading = rf"^## \[{re.escape(agentctl.__version__)}\] - \d{{4}}-\d\d-\d\d$"

    assert re.search(heading, changelog, re.MULTILINE)


def test_the_lock_is_plain_sorted_pins():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]

    assert [] == [line for line in pins if not re.fullmatch(r"[\w.-]+==[\w.!+]+", line)]
    assert pins == sorted(pins, key=str.lower)
