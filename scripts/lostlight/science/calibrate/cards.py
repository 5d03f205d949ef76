"""What the header of a product says of its calibration: cards, and a line of history for every step."""

import math
from collections.abc import Mapping, Sequence

from lostlight.science.calibrate.order import MasterState, Stage

Value = str | int | float | bool
Cards = dict[str, tuple[Value, str]]

COMMENTS = {
    "IMAGETYP": "kind of frame",
    "NCOMBINE": "frames combined",
    "COMBMETH": "how frames were combined",
    "REJMETH": "how samples were rejected",
    "REJLOW": "threshold below",
    "REJHIGH": "threshold above",
    "FREJLOW": "fraction of samples rejected below",
    "FREJHI": "fraction of samples rejected above",
    "WEIGHTS": "weights of frames",
    "EXPTIME": "[s] exposure",
    "EGAIN": "[electron/adu] gain",
    "RDNOISE": "[electron] read noise",
    "CCD-TEMP": "[deg C] mean temperature",
    "TEMPSTD": "[deg C] scatter of temperature",
    "BIASSUB": "bias taken off, alone or with a dark",
    "DARKMODE": "how the dark was fitted",
    "DARKSCAL": "multiple of the dark subtracted",
    "DARKSERR": "standard deviation of DARKSCAL",
    "FLATNORM": "level the flats were scaled by",
    "OVERSCAN": "[adu] level of the overscan subtracted",
    "PEDESTAL": "add it to pixels to get zero for no light",
    "CALSTAT": "applied: bias, dark, flat",
    "UNCSYS": "share of variance that masters bring in",
    "BIASID": "sha256 of the master bias",
    "DARKID": "sha256 of the master dark",
    "FLATID": "sha256 of the master flat",
    "BPMID": "sha256 of the map of bad pixels",
    "CALREP": "calibration report",
    "CALVER": "version of the software",
}
"""Every card of calibration and its comment."""

_ID_CHARACTERS = 16
_LETTER = {"bias": "B", "dark": "D", "flat": "F"}
_ID = {"bias": "BIASID", "dark": "DARKID", "flat": "FLATID", "bpm": "BPMID"}


def header_cards(
    stages: Sequence[Stage],
    *,
    calstat: str = "",
    dark: MasterState | None = None,
    dark_mode: str = "matched",
    dark_scale: float = 1.0,
    dark_scale_error: float = 0.0,
    flat_normalize: str = "",
    overscan_adu: float = math.nan,
    pedestal: float = 0.0,
    sha256: Mapping[str, str] | None = None,
    **further: Value,
) -> Cards:
    """Say in cards what was done to a frame; they are added to its own header, which stays.

    Parameters
    ----------
    stages : sequence of Stage
        From `check_order`.
    calstat : str
        Letters that the frame came with.
    dark : MasterState, optional
        State of the master dark; without it, a matched dark contains the bias.
    dark_mode, dark_scale, dark_scale_error
        How the dark was fitted, the multiple subtracted and its standard deviation.
    flat_normalize : str
        How flats were scaled.
    overscan_adu : float
        Level subtracted, the mean where it differs from row to row.
    pedestal : float
        Level added, in the unit of the pixels; PEDESTAL is minus that, as MaxIm DL writes it.
    sha256 : mapping of str to str
        Hash of the files of ``bias``, ``dark``, ``flat``, ``bpm``; those of steps that were done are named.
    **further
        More cards of `COMMENTS` by lower-case name: ``ncombine=5, combmeth="mean"``; ``ccd_temp`` is CCD-TEMP.
        Numbers that are NaN and empty texts are left out.

    Returns
    -------
    dict of str to (value, comment)
        As `astropy.io.fits.Header.update` takes it.
    """
    done = {stage.name for stage in stages if stage.done}
    letters = {*calstat.upper()} | {_LETTER[name] for name in done if name in _LETTER}
    dark_has_bias = dark_mode == "matched" if dark is None else dark.has_bias
    values: dict[str, Value] = {
        "CALSTAT": "".join(letter for letter in "BDF" if letter in letters),
        "BIASSUB": "B" in letters or ("dark" in done and dark_has_bias),
        "PEDESTAL": -pedestal if pedestal else 0.0,
    }
    if "overscan" in done:
        values["OVERSCAN"] = overscan_adu
    if "dark" in done:
        values |= {"DARKMODE": dark_mode, "DARKSCAL": dark_scale, "DARKSERR": dark_scale_error}
    if "flat" in done:
        values["FLATNORM"] = flat_normalize
    used = {"bpm" if name == "cosmetic" else name for name in done}
    values |= {_ID[name]: text[:_ID_CHARACTERS] for name, text in (sha256 or {}).items() if name in used}
    values |= {name.upper().replace("_", "-"): value for name, value in further.items()}
    return {key: (value, COMMENTS[key]) for key, value in values.items() if _is_known(value)}


def history(stages: Sequence[Stage], resolved: Mapping[str, Mapping[str, Value]] | None = None) -> list[str]:
    """Write one line for every step: its parameters as they were resolved, or why it was skipped.

    Parameters
    ----------
    stages : sequence of Stage
        From `check_order`.
    resolved : mapping of str to mapping
        Parameters of a step by name.
    """
    lines = []
    for stage in stages:
        told = " ".join(f"{key}={_text(value)}" for key, value in (resolved or {}).get(stage.name, {}).items())
        lines.append(f"calibrate: {stage} {told if stage.done else ''}".rstrip())
    return lines


def _text(value: Value) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _is_known(value: Value) -> bool:
    return value != "" and not (isinstance(value, float) and not math.isfinite(value))
