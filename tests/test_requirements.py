"""tests/requirements.toml says which tests show which requirement; these tests hold it to that."""

import ast
import collections
import os
import re
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILE = Path(__file__).parent / "requirements.toml"
DATA = tomllib.loads(FILE.read_text())
KINDS: dict[str, str] = DATA["kinds"]
TESTS: dict[str, list[str]] = DATA["tests"]
DEFECTS: dict[str, dict[str, list[str]]] = DATA["defects"]
THRESHOLDS: dict[str, dict[str, str]] = DATA["thresholds"]
PENDING: list[str] = DATA["pending"]


@cache
def definitions(path: str) -> dict[str, str]:
    """Each test of a file (`test_x`, `TestY::test_x`), with its name and docstrings."""
    file = ROOT / path
    found: dict[str, str] = {}
    if not file.is_file():
        return found

    def walk(body: list[ast.stmt], prefix: str, words: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                said = f"{words} {node.name} {ast.get_docstring(node)}"
                walk(node.body, f"{prefix}{node.name}::", said)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                said = f"{words} {node.name} {ast.get_docstring(node)}"
                found[prefix + node.name] = said

    tree = ast.parse(file.read_text())
    walk(tree.body, "", "")
    return found


def split(node_id: str) -> tuple[str, str]:
    path, _, name = node_id.partition("::")
    return path, name.partition("[")[0]


def carries(words: str, requirement: str) -> bool:
    return bool(re.search(rf"(?<![A-Za-z0-9]){requirement}(?![0-9])", words, re.IGNORECASE))


def test_every_requirement_is_shown_or_pending():
    mapped = set(TESTS)
    if os.environ.get("AGENTCTL_UPDATE_PENDING") == "1":
        update_pending([name for name in PENDING if name not in mapped])
    else:
        assert [] == sorted(mapped & set(PENDING)), "both shown and pending"

    background = {name for name, kind in KINDS.items() if kind == "REF"}

    assert [] == sorted(name for name, count in collections.Counter(PENDING).items() if count > 1)
    assert [] == sorted((mapped | set(PENDING)) - set(KINDS)), "not a requirement"
    assert [] == sorted((mapped | set(PENDING)) & background), "REF rows have no test of their own"
    assert [] == sorted(set(KINDS) - background - mapped - set(PENDING)), "neither shown nor pending"
    assert [] == sorted(name for name, tests in TESTS.items() if not tests), "shown by nothing"


def update_pending(names: list[str]) -> None:
    rows: list[str] = []
    for letter in sorted({name[0] for name in names}):
        group = [f'"{name}",' for name in names if name[0] == letter]
        rows += ["    " + " ".join(group[at : at + 12]) for at in range(0, len(group), 12)]
    block = "\n".join(["pending = [", *rows, "]"])
    text = re.sub(r"^pending = \[.*?^\]", block, FILE.read_text(), count=1, flags=re.MULTILINE | re.DOTALL)
    FILE.write_text(text)


def test_every_mapped_test_exists():
    missing = [
        f"{name}: {node_id}"
        for name, node_ids in TESTS.items()
        for node_id in node_ids
        if split(node_id)[1] not in definitions(split(node_id)[0])
    ]

    assert [] == missing


def test_each_clause_of_each_known_defect_has_tests_that_exist():
    clauses = {(defect, clause): tests for defect, found in DEFECTS.items() for clause, tests in found.items()}
    missing = [
        node_id
        for tests in clauses.values()
        for node_id in tests
        if split(node_id)[1] not in definitions(split(node_id)[0])
    ]

    assert [f"H{number}" for number in range(1, 13)] == [defect for defect, found in DEFECTS.items() if found]
    assert [] == [clause for clause, tests in clauses.items() if not tests]
    assert [] == missing


def test_every_mapped_test_carries_the_id_in_its_name_or_docstring():
    silent = [
        f"{name}: {node_id}"
        for name, node_ids in TESTS.items()
        for node_id in node_ids
        if not carries(definitions(split(node_id)[0]).get(split(node_id)[1], name), name)
    ]

    assert [] == silent


def test_no_test_carries_more_than_three_ids():
    carried = collections.defaultdict(set)
    for name, node_ids in TESTS.items():
        for node_id in node_ids:
            carried[split(node_id)].add(name)

    assert {} == {"::".join(test): ids for test, ids in carried.items() if len(ids) > 3}


def test_only_shown_thresholds_are_changed():
    assert [] == [name for name in THRESHOLDS if KINDS.get(name) != "THR" or name not in TESTS], (
        "each entry of [thresholds] is a THR row with tests"
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not THRESHOLDS, reason="no thresholds are written down yet")
@pytest.mark.skipif("AGENTCTL_TEST_OVERRIDE" in os.environ, reason="this is such a session")
def test_a_changed_default_makes_a_test_of_that_threshold_fail():
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = dict(zip(THRESHOLDS, pool.map(run_with_another_default, THRESHOLDS), strict=True))

    assert {} == {name: said for name, said in results.items() if said}


def run_with_another_default(name: str) -> str:
    """What is wrong with the tests of this threshold; nothing, when one of them failed."""
    row = THRESHOLDS[name]
    env = {**os.environ, "AGENTCTL_TEST_OVERRIDE": f"{row['key']}={row['value']}"}
    env = {key: value for key, value in env.items() if not key.startswith("PYTEST_")}
    quick = ["-n", "0", "-q", "-x", "--no-header", "--tb=no"]
    nearest = sorted(TESTS[name], key=lambda node_id: not node_id.startswith("tests/core/"))  # they take no time
    command = [sys.executable, "-m", "pytest", *quick, *nearest]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode == pytest.ExitCode.TESTS_FAILED and " failed" in done.stdout:
        return ""
    return f"{row['key']} = {row['value']}, and exit {done.returncode}: {done.stdout[-500:]}"
