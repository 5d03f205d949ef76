"""Sizes that keep a room liveable."""

import ast

import pytest

PACKAGE = "scripts/lostlight"


def lines(path):
    return len(path.read_text().splitlines())


def budgets(project):
    for path in sorted((project / PACKAGE).rglob("*.py")):
        inside = path.relative_to(project / PACKAGE).as_posix()
        # Params on one page is what a reader of the configuration wants.
        allowed = 200 if inside == "runner.py" else 120 if inside.startswith("steps/s") else 300
        allowed = 600 if inside.startswith("core/params/") else allowed
        yield pytest.param(path, allowed, id=inside)
    for path in sorted((project / "workflow" / "rules").glob("*.smk")):
        yield pytest.param(path, 30 if path.stem[0].isdigit() else 45, id=f"rules/{path.name}")


def pytest_generate_tests(metafunc):
    if "allowed" in metafunc.fixturenames:
        metafunc.parametrize(("path", "allowed"), list(budgets(metafunc.config.rootpath)))


def test_no_file_is_longer_than_its_budget(path, allowed):
    assert lines(path) <= allowed


def test_no_function_is_longer_than_sixty_lines(project):
    long = [
        f"{path.relative_to(project)}:{node.lineno} {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for path in sorted((project / "scripts").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno + 1 - documented(node) > 60
    ]
    assert not long, "\n".join(long)


def documented(node):
    """Lines of the docstring, which are not counted."""
    text = ast.get_docstring(node, clean=False)
    return len(text.splitlines()) if text else 0
