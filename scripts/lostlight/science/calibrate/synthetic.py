"""A bias without frames: a constant level, or a multiple of a number in the header."""

import math
from collections.abc import Mapping

from lostlight.science.calibrate.trouble import refuse


def level(
    header: Mapping[str, object], *, constant_adu: float | None, keyword: str, factor: float, where: str
) -> float:
    """Give the level that stands in for a master bias.

    Parameters
    ----------
    header : mapping of str to value
        Header of the frame that the bias is taken off.
    constant_adu : float or None
        The level itself, adu; wins over `keyword`.
    keyword : str
        Key whose value times `factor` is the level, such as OFFSET.
    factor : float
        Adu per unit of that key.
    where : str
        The frame, for the message.

    Returns
    -------
    float
        Level, adu.

    Raises
    ------
    ConfigError
        CAL109: neither is given, the header has no such key, or its value is no number.
    """
    if constant_adu is not None:
        return constant_adu
    if not keyword:
        raise refuse("CAL109", f"{where}: a synthetic bias needs constant_adu or keyword")
    value = header.get(keyword)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise refuse("CAL109", f"{where}: header key {keyword} of the synthetic bias is {value!r}, not a number")
    return float(value) * factor
