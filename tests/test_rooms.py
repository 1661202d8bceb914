"""Arrows between the rooms never run upward, and the lower rooms know neither scheduler nor tracker."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "dataset": set(),
    "evaluation": {"dataset"},
    "models": {"dataset"},
    "simulator": {"dataset", "evaluation"},
    "tasks": {"dataset", "evaluation", "models", "simulator"},
    "flows": {"dataset", "evaluation", "models", "simulator", "tasks"},
}
ROOMS = {*MAY_IMPORT, "tests", "benchmarks"}


def imports(path: Path) -> set[str]:
    """Top-level names of everything that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_from_the_rooms_below(room):
    for path in (ROOT / room).rglob("*.py"):
        upward = (imports(path) & ROOMS) - MAY_IMPORT[room] - {room}
        assert not upward, f"{path.relative_to(ROOT)} imports {upward}"


@pytest.mark.parametrize("room", ["dataset", "evaluation", "models", "simulator"])
def test_the_lower_rooms_know_neither_prefect_nor_mlflow(room):
    for path in (ROOT / room).rglob("*.py"):
        assert not imports(path) & {"prefect", "mlflow"}, path.relative_to(ROOT)
