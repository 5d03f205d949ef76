"""What a step declares, read from its source without importing its science.

The workflow needs the version and the parents of every step each time it starts; importing them would cost seconds.
"""

import ast
from pathlib import Path

from lostlight.vocab.steps import module

PACKAGE = Path(__file__).parents[1]


def declared(step_id: str) -> dict[str, object]:
    """Read the arguments of the ``@step(...)`` of a step: ``version``, ``after``, ``needs``, ``makes`` and so on.

    Raises
    ------
    FileNotFoundError
        If there is no such step.
    ValueError
        If its file declares no step.
    """
    path = PACKAGE.joinpath(*module(step_id).split(".")[1:]).with_suffix(".py")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "step":
            return {keyword.arg: _literal(keyword.value) for keyword in node.keywords if keyword.arg}
    raise ValueError(f"{path} declares no step")


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)
