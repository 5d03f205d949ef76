"""The order of the steps that make a light, checked: what is done, what is not and why, and what must not be."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from lostlight.science.calibrate.trouble import refuse

STANDARD = ("overscan", "trim", "bias", "dark", "flat", "cosmetic", "lacosmic")
"""All steps, in the order that is right for every camera."""

_HINT = "add biases, darks or a synthetic bias, or leave flat out of light.order"

_LETTER = {"bias": "B", "dark": "D", "flat": "F"}

_BEFORE = (
    ("overscan", "trim", "trimming cuts the overscan off"),
    ("overscan", "bias", "the bias is that of frames without overscan level"),
    ("overscan", "dark", "the dark is that of frames without overscan level"),
    ("overscan", "flat", "the level of the overscan is no light"),
    ("trim", "bias", "masters have the shape of trimmed frames"),
    ("trim", "dark", "masters have the shape of trimmed frames"),
    ("trim", "flat", "masters have the shape of trimmed frames"),
    ("bias", "dark", "a scaled dark fits only a light without bias"),
    ("bias", "flat", "the level of the bias is no light"),
    ("dark", "flat", "dark current is no light"),
    ("flat", "cosmetic", "hot and cold pixels are told from neighbours that are as sensitive"),
    ("flat", "lacosmic", "cosmic rays are told from stars on an even background"),
)
"""What comes first, what after it, and why."""


@dataclass(frozen=True)
class Stage:
    """One step for a light: done, or skipped and why."""

    name: str
    done: bool
    why: str = ""

    def __str__(self) -> str:
        return self.name if self.done else f"{self.name} skipped: {self.why}"


@dataclass(frozen=True)
class MasterState:
    """What was done to a master before it came here.

    Attributes
    ----------
    calstat : str
        Letters of what was taken off it: B, D, F.
    biassub : bool
        Its bias was taken off, alone or with a dark (card BIASSUB).
    overscan : bool
        The level of its overscan was taken off.
    """

    calstat: str = ""
    biassub: bool = False
    overscan: bool = False

    @property
    def has_bias(self) -> bool:
        """Whether the bias is still in it."""
        return not self.biassub and "B" not in self.calstat.upper()


def check_order(
    order: Sequence[str],
    available: Collection[str],
    calstat: str = "",
    masters: Mapping[str, MasterState] | None = None,
    dark_mode: str = "matched",
) -> list[Stage]:
    """Decide which steps a light goes through.

    Parameters
    ----------
    order : sequence of str
        Steps wanted, in this order.
    available : collection of str
        Steps for which there is what they need: a master, a section of the header, a map.
    calstat : str
        What was done to the light already: letters B, D, F of its card CALSTAT.
    masters : mapping of str to MasterState
        State of the masters ``bias``, ``dark`` and ``flat``.
    dark_mode : str
        ``matched``: the dark still contains its bias and takes that of the light off too, so that the step bias is
        skipped. ``scaled`` or ``rate``: the dark has none, as a bias may not be scaled.

    Returns
    -------
    list of Stage
        Those of `order`, then those left out of it, each done or with the reason why not.

    Raises
    ------
    LostlightError
        CAL109 for an unknown step or a wrong order, CAL106 for what would be done twice, CAL107 for a light whose
        pedestal nothing takes off and that is to be divided by a flat.
    """
    masters = masters or {}
    _check_names(order)
    stages = [_stage(name, order, available, masters, dark_mode) for name in order]
    done = [stage.name for stage in stages if stage.done]
    _check_sequence(done)
    for name in done:
        _check_twice(name, calstat.upper(), masters, dark_mode)
    _check_pedestal(done, calstat.upper(), masters)
    left_out = [Stage(name, False, "left out of light.order") for name in STANDARD if name not in order]
    return stages + left_out


def _check_names(order: Sequence[str]) -> None:
    unknown = [name for name in order if name not in STANDARD]
    if unknown:
        raise refuse("CAL109", f"light.order names {', '.join(unknown)}; steps are {', '.join(STANDARD)}")
    twice = sorted({name for name in order if list(order).count(name) > 1})
    if twice:
        raise refuse("CAL106", f"light.order names {', '.join(twice)} more than once")


def _stage(
    name: str, order: Sequence[str], available: Collection[str], masters: Mapping[str, MasterState], dark_mode: str
) -> Stage:
    if name not in available:
        return Stage(name, False, "no master fits" if name in _LETTER else "there is nothing to do it with")
    has_dark = "dark" in available and "dark" in order
    if name == "bias" and has_dark and dark_mode == "matched" and masters.get("dark", MasterState()).has_bias:
        return Stage(name, False, "the matched dark contains the bias and takes it off")
    return Stage(name, True)


def _check_sequence(done: Sequence[str]) -> None:
    for first, then, why in _BEFORE:
        if first in done and then in done and done.index(first) > done.index(then):
            raise refuse("CAL109", f"light.order has {then} before {first}, but {why}")


def _check_twice(name: str, calstat: str, masters: Mapping[str, MasterState], dark_mode: str) -> None:
    """Refuse a step that was done before, to the light or to the master itself."""
    letter = _LETTER.get(name)
    if letter is None:
        return
    state = masters.get(name, MasterState())
    if letter in calstat:
        raise refuse("CAL106", f"the light had its {name} applied already (CALSTAT {calstat!r})")
    if letter in state.calstat.upper() or (name == "bias" and state.biassub):
        raise refuse("CAL106", f"the master {name} had a {name} applied itself (CALSTAT {state.calstat!r})")
    if name != "flat" and "F" in calstat:
        raise refuse("CAL109", f"the light is divided by a flat already (CALSTAT {calstat!r}): too late for its {name}")
    if name == "bias" and "D" in calstat:
        raise refuse("CAL106", f"a dark took the bias off the light already (CALSTAT {calstat!r})")
    if name == "dark" and state.has_bias:
        _check_bias_in_dark(calstat, dark_mode)


def _check_bias_in_dark(calstat: str, dark_mode: str) -> None:
    if dark_mode != "matched":
        raise refuse(
            "CAL106",
            f"dark.mode is {dark_mode}, but the master dark still contains its bias, which may not be scaled",
            "add biases, or set dark.mode: matched",
        )
    if "B" in calstat:
        raise refuse("CAL106", f"the master dark contains a bias, which the light has lost (CALSTAT {calstat!r})")


def _check_pedestal(done: Sequence[str], calstat: str, masters: Mapping[str, MasterState]) -> None:
    """Refuse to divide by a flat what still has its pedestal, or by a flat that has: (S V + p) / V is no light."""
    if "flat" not in done:
        return
    dark_takes_it = "dark" in done and masters.get("dark", MasterState()).has_bias
    if not (dark_takes_it or {"overscan", "bias"} & {*done} or {"B", "D"} & {*calstat}):
        raise refuse("CAL107", "the light would be divided by a flat with its pedestal still in it", _HINT)
    flat = masters.get("flat")
    if flat and flat.has_bias and not flat.overscan and "D" not in flat.calstat.upper():
        raise refuse("CAL107", "the pedestal of the master flat was never taken off", _HINT)
