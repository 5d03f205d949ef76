"""A rejection rule of the user's own: read with a whitelist, never given to Python to run.

What passes the whitelist is worked out by the functions below, node by node, on whole arrays. Nothing is ever
compiled or evaluated as code.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.science.calibrate.trouble import refuse
from lostlight.science.stack.expression_grammar import NAMES, checked

_ARITHMETIC: dict[type[ast.operator], Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: lambda base, exponent: np.asarray(base) ** exponent,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[..., Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_OPPOSITE = {operator.lt: operator.ge, operator.le: operator.gt, operator.gt: operator.le, operator.ge: operator.lt}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "sqrt": np.sqrt,
    "log": np.log,
    "exp": np.exp,
    "minimum": np.minimum,
    "maximum": np.maximum,
}
_GROWING = (ast.Mult, ast.Div, ast.Pow)

Values = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Expression:
    """A checked rejection rule.

    Attributes
    ----------
    canonical : str
        The rule as Python would print it: one spelling for headers and reports.
    names : frozenset of str
        The names of `NAMES` that it uses.
    """

    canonical: str
    names: frozenset[str]
    tree: ast.expr = field(repr=False, compare=False)

    def reject(self, x: NDArray[np.float32], statistics: Values, context: Values) -> NDArray[np.bool_]:
        """Say which samples the rule rejects.

        What cannot be told is not rejected: a comparison of a number that is NaN or infinite holds neither way,
        so ``x > y`` and ``not x > y`` are both false where y is NaN.

        Parameters
        ----------
        x : ndarray, shape (n_frames, n_pixels), float32
            The samples; NaN where there is none.
        statistics : mapping of str to ndarray, broadcastable to `x`
            One number per pixel for the names of `STATISTICS` that the rule uses.
        context : mapping of str to ndarray, shape (n_frames, 1)
            One number per frame for the names of `CONTEXT` that the rule uses; i is filled in here.

        Returns
        -------
        ndarray of the shape of `x`, bool
            True where a sample is to be left out.

        Raises
        ------
        ConfigError
            CAL110 if the rule uses a name that is not known of these frames.
        """
        frames = np.arange(x.shape[0], dtype=x.dtype)[:, None]
        values = {"i": frames, **statistics, **context, "x": x}
        if missing := sorted(self.names - values.keys()):
            raise refuse("CAL110", f"{self.canonical!r} uses {', '.join(missing)}, which is not known of these frames")
        with np.errstate(all="ignore"):
            rejected = np.asarray(_holds(self.tree, values))
        return rejected if rejected.shape == x.shape else np.broadcast_to(rejected, x.shape).copy()


def compile_expression(text: str) -> Expression:
    """Check a rejection rule such as ``abs(x - median) > 4 * 1.4826 * mad`` and make it ready for use.

    Allowed are finite constants, the names of `NAMES`, ``+ - * /`` and unary ``-``, ``**`` with a small constant
    exponent, chained ``< <= > >=``, ``and or not``, and the functions abs, sqrt, log, exp, minimum, maximum,
    where and isfinite. The value must be true or false.

    Parameters
    ----------
    text : str
        At most 300 characters, 80 operations and operands, 12 levels deep.

    Returns
    -------
    Expression
        Frozen; can be sent to other processes.

    Raises
    ------
    ConfigError
        CAL110, naming the part that is not allowed and what is.
    """
    tree = checked(text)
    names = frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)) & frozenset(NAMES)
    return Expression(ast.unparse(tree), names, tree)


def _holds(node: ast.expr, values: Values, wanted: bool = True) -> Any:
    """Say where a condition is known to be true, or known to be false if `wanted` is False.

    A negation is carried down to the comparisons, where what cannot be told satisfies neither side.
    """
    if isinstance(node, ast.UnaryOp):
        return _holds(node.operand, values, not wanted)
    if isinstance(node, ast.BoolOp):
        join = np.logical_and if isinstance(node.op, ast.And) is wanted else np.logical_or
        return reduce(join, [_holds(part, values, wanted) for part in node.values])
    if isinstance(node, ast.Call):
        return _call_holds(node, values, wanted)
    return _comparison_holds(node, values, wanted)


def _call_holds(node: ast.Call, values: Values, wanted: bool) -> Any:
    if node.func.id == "isfinite":
        return np.isfinite(_number(node.args[0], values)) == wanted
    condition, one, other = node.args
    return np.where(
        _holds(condition, values),
        _holds(one, values, wanted),
        _holds(condition, values, False) & _holds(other, values, wanted),
    )


def _comparison_holds(node: ast.Compare, values: Values, wanted: bool) -> Any:
    sides = [_side(side, values) for side in (node.left, *node.comparators)]
    links = []
    for op, left, right in zip(node.ops, sides, sides[1:], strict=False):
        compare = _COMPARISONS[type(op)] if wanted else _OPPOSITE[_COMPARISONS[type(op)]]
        links.append(compare(left, right))
    return reduce(np.logical_and if wanted else np.logical_or, links)


def _side(node: ast.expr, values: Values) -> Any:
    """Work out a side of a comparison; what grew beyond all bounds becomes NaN, which no comparison holds for."""
    value = _number(node, values)
    if not any(isinstance(part, _GROWING) or getattr(part, "id", "") in ("log", "exp") for part in ast.walk(node)):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else math.nan
    return np.where(np.isfinite(value), value, np.nan)


def _number(node: ast.expr, values: Values) -> Any:
    if isinstance(node, ast.Constant):
        return float(node.value)
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.UnaryOp):
        return -_number(node.operand, values)
    if isinstance(node, ast.BinOp):
        return _apply(_ARITHMETIC[type(node.op)], _number(node.left, values), _number(node.right, values))
    if node.func.id != "where":
        return _apply(_FUNCTIONS[node.func.id], *(_number(part, values) for part in node.args))
    condition, one, other = node.args
    unknown = ~(_holds(condition, values) | _holds(condition, values, False))
    chosen = np.where(_holds(condition, values), _number(one, values), _number(other, values))
    return np.where(unknown, np.nan, chosen)


def _apply(function: Callable[..., Any], *arguments: Any) -> Any:
    """Keep constants plain floats: NumPy then lets the arrays say the precision."""
    result = function(*arguments)
    return float(result) if all(type(value) is float for value in arguments) else result
