"""What a rejection rule may say: its text is parsed to a syntax tree of which every node is checked."""

import ast
import math
import re
import warnings
from collections.abc import Callable
from itertools import accumulate

from lostlight.core.errors import LostlightError
from lostlight.science.calibrate.trouble import refuse

STATISTICS = ("n", "mean", "median", "std", "mad", "min", "max", "q05", "q95", "sigma_model")
"""Names for one number per pixel, over the samples still kept."""

CONTEXT = ("i", "exptime", "temp", "level", "noise")
"""Names for one number per frame; i counts the frames from zero."""

NAMES = ("x", *STATISTICS, *CONTEXT)
"""Every name an expression may use; x is the sample itself."""

MAX_CHARACTERS = 300
MAX_NODES = 80
MAX_DEPTH = 12
MAX_CONSTANT = 1e12
MAX_EXPONENT = 4

_CHARACTERS = re.compile(r"[A-Za-z0-9_.,()+\-*/<>= \t\r\n]*")
_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)
_COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_CALLS = {"abs": 1, "sqrt": 1, "log": 1, "exp": 1, "minimum": 2, "maximum": 2, "where": 3, "isfinite": 1}


def checked(text: str) -> ast.expr:
    """Parse a rule and check it, node by node.

    Parameters
    ----------
    text : str
        At most 300 characters, 80 operations and operands, 12 levels deep.

    Returns
    -------
    ast.expr
        The tree of an expression that is true or false.

    Raises
    ------
    ConfigError
        CAL110, naming the part that is not allowed and what is.
    """
    tree = _parse(text)
    n_nodes = sum(isinstance(node, ast.expr) for node in ast.walk(tree))
    if n_nodes > MAX_NODES:
        raise refuse("CAL110", f"the expression has {n_nodes} parts; {MAX_NODES} are allowed")
    source = " ".join(text.split())
    if _kind(tree, source, 1) is not bool:
        raise _not_allowed(source, tree, "its value is a number; compare it with another, as in x > 3 * std")
    return tree


def _parse(text: str) -> ast.expr:
    if len(text) > MAX_CHARACTERS:
        raise refuse("CAL110", f"the expression has {len(text)} characters; {MAX_CHARACTERS} are allowed")
    if strange := _CHARACTERS.sub("", text):
        raise refuse("CAL110", f"{strange[0]!r} is not allowed; write names, numbers, ( ) + - * / ** < <= > >= and ,")
    if max(accumulate((c == "(") - (c == ")") for c in text), default=0) > MAX_DEPTH:
        raise refuse("CAL110", f"parentheses are more than {MAX_DEPTH} deep in {_short(text)!r}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(" ".join(text.split()), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise refuse("CAL110", f"{_short(text)!r} cannot be read: {error or 'nested too deep'}") from None


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def _not_allowed(source: str, node: ast.AST, why: str) -> LostlightError:
    part = ast.get_source_segment(source, node) or source
    return refuse("CAL110", f"{_short(part)!r} is not allowed: {why}")


def _kind(node: ast.expr, source: str, depth: int) -> type:
    """Check a node and all below it; returns the type of its value, bool or float."""
    if depth > MAX_DEPTH:
        raise _not_allowed(source, node, f"it lies more than {MAX_DEPTH} levels deep")
    check = _CHECKS.get(type(node))
    if check is None:
        raise _not_allowed(source, node, "only numbers, names, arithmetic, comparisons, and, or, not and calls are")
    return check(node, source, depth + 1)


def _need(kind: type, nodes: list[ast.expr], source: str, depth: int) -> None:
    for node in nodes:
        if _kind(node, source, depth) is not kind:
            wanted = "true or false" if kind is bool else "a number"
            raise _not_allowed(source, node, f"{wanted} is needed here")


def _check_constant(node: ast.Constant, source: str, depth: int) -> type:
    value = node.value
    if type(value) not in (int, float) or not math.isfinite(value) or abs(value) > MAX_CONSTANT:
        raise _not_allowed(source, node, f"constants are numbers up to {MAX_CONSTANT:g}")
    return float


def _check_name(node: ast.Name, source: str, depth: int) -> type:
    if node.id not in NAMES:
        raise _not_allowed(source, node, f"names are {', '.join(NAMES)}")
    return float


def _check_arithmetic(node: ast.BinOp, source: str, depth: int) -> type:
    if type(node.op) not in _ARITHMETIC:
        raise _not_allowed(source, node, "arithmetic is + - * / and **")
    _need(float, [node.left, node.right], source, depth)
    if isinstance(node.op, ast.Pow):
        size = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
        if not isinstance(size, ast.Constant) or abs(float(size.value)) > MAX_EXPONENT:
            raise _not_allowed(source, node, f"an exponent is a constant from -{MAX_EXPONENT} to {MAX_EXPONENT}")
    return float


def _check_sign(node: ast.UnaryOp, source: str, depth: int) -> type:
    if not isinstance(node.op, ast.Not | ast.USub):
        raise _not_allowed(source, node, "before a value stands - or not")
    kind = bool if isinstance(node.op, ast.Not) else float
    _need(kind, [node.operand], source, depth)
    return kind


def _check_comparison(node: ast.Compare, source: str, depth: int) -> type:
    if any(type(op) not in _COMPARISONS for op in node.ops):
        raise _not_allowed(source, node, "comparisons are < <= > >=")
    _need(float, [node.left, *node.comparators], source, depth)
    return bool


def _check_logic(node: ast.BoolOp, source: str, depth: int) -> type:
    _need(bool, node.values, source, depth)
    return bool


def _check_call(node: ast.Call, source: str, depth: int) -> type:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name not in _CALLS or node.keywords or len(node.args) != _CALLS[name]:
        usage = ", ".join(f"{call}({', '.join('abc'[:arity])})" for call, arity in _CALLS.items())
        raise _not_allowed(source, node, f"functions are {usage}")
    if name != "where":
        _need(float, node.args, source, depth)
        return bool if name == "isfinite" else float
    _need(bool, node.args[:1], source, depth)
    kind = _kind(node.args[1], source, depth)
    _need(kind, node.args[2:], source, depth)
    return kind


_CHECKS: dict[type[ast.expr], Callable[..., type]] = {
    ast.Constant: _check_constant,
    ast.Name: _check_name,
    ast.BinOp: _check_arithmetic,
    ast.UnaryOp: _check_sign,
    ast.Compare: _check_comparison,
    ast.BoolOp: _check_logic,
    ast.Call: _check_call,
}
