"""Names that mean the same: types of frames, cameras and telescopes as people and programs write them."""

import math
import re
from itertools import pairwise

_COMPOUND = r"(flat(s|field|fields)?darks?|darkflats?|darkflatfields?)"
_KINDS = {
    "flat_dark": _COMPOUND,
    "bias": r"(super)?bias(es)?|zeros?|offsets?",
    "dark": r"darks?|darkcurrent|thermal",
    "flat": r"((sky|dome|twilight|twi|dawn|dusk|morning|evening|lamp|led|screen|panel|internal|dome|d|s|t)?"
            r"flat(s|field|fields|sky|lamp|dome|twilight|led|screen|internal)*)|twilight|domeflats?|lampflats?",
    "light": r"lights?|objects?|obj|sci|science|target|exposed?|astro|star|std|standard|lightfield",
}  # fmt: skip
_NOISE = re.compile(r"frames?$|images?$|exposures?$|subs?$")
_VENDORS = re.compile(
    r"zwo(optical)?|qhy(ccd)?|sbig|apogee|celestron|atik|altair|fli|moravian|meade|orion|starlight|xpress|touptek|canon"
    r"|nikon|sony|pentax|fujifilm|corporation|co|ltd|inc|eos|digital|cameras?|cam|ccd|cmos|usb[23]?|net|instruments|imaging"
)
_SERIAL = re.compile(r"\(.*?\)|\[.*?\]|#\s*\w+|\b(s/?n|serial|ser)\b[\s.:=#]*(no|number)?[\s.:=#]*\w*", re.IGNORECASE)


def kind_of(text: str) -> tuple[str, bool]:
    """Say what kind of frame a word of a header names, and whether it is a master.

    Parameters
    ----------
    text : str
        Value of IMAGETYP or the like: ``Light Frame``, ``DARKFLAT``, ``zero``, ``Master Bias``.

    Returns
    -------
    kind : str
        bias, dark, flat, flat_dark, light, or empty for a word that is not known.
    is_master : bool
        The frame is the sum or mean of others.
    """
    word = re.sub(r"[^a-z]", "", text.casefold())
    is_master = "master" in word or word.startswith("integration")
    word = word.replace("master", "")
    while word != (shorter := _NOISE.sub("", word)):
        word = shorter
    return next((kind for kind, pattern in _KINDS.items() if re.fullmatch(pattern, word)), ""), is_master


def kind_in_path(path: str) -> str:
    """Guess the kind of a frame from the words of its folder and name, the name first.

    ``darks/flat_dark_0001.fits`` is a flat dark; ``M31/night1/M31_001.fits`` says nothing, and neither does a name
    with words of two kinds.
    """
    for part in reversed(path.replace("\\", "/").split("/")):
        words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", part).casefold())
        joined = (f"{a}{b}" for a, b in pairwise(words))
        if any(re.fullmatch(_COMPOUND, pair) for pair in joined):
            return "flat_dark"
        found = {kind_of(word)[0] for word in words if len(word) > 2 and word not in ("star", "astro", "target")}
        found.discard("")
        if len(found) == 1:
            return found.pop()
        if found:
            return ""
    return ""


def camera_name(text: str, chip: str = "") -> str:
    """Name a camera the same however its driver spells it: no case, vendor, serial number or punctuation.

    ``ZWO ASI2600MM Pro`` and ``asi2600mm-pro (SN 0A12)`` are ``asi2600mmpro``. A chip of an instrument with several is
    added after a slash.
    """
    words = re.findall(r"[a-z0-9]+", _SERIAL.sub(" ", text).casefold())
    name = "".join(word for word in words if not _VENDORS.fullmatch(word)) or "".join(words)
    part = re.sub(r"[^a-z0-9]", "", chip.casefold())
    return f"{name}/{part}" if part else name


def filter_name(text: str) -> str:
    """Name a filter the same however it is written: ``H-alpha`` is ``halpha``; single letters keep their case.

    The bands r and R, or i and I, are not the same: Sloan's are written small, Johnson's and Cousins' large.
    """
    word = re.sub(r"[\s_-]+", "", text)
    return word if len(word) == 1 else word.casefold()


def optics_name(telescope: str, focal_length_mm: float) -> str:
    """Name a telescope by its name and its focal length, such as ``esprit100/550mm``."""
    name = re.sub(r"[^a-z0-9]", "", telescope.casefold())
    length = "" if math.isnan(focal_length_mm) else f"{focal_length_mm:.0f}mm"
    return "/".join(filter(None, (name, length)))
