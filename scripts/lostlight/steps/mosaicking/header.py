"""The header of a mosaic: where it lies, when it was taken, what it was made of and how."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from astropy.io.fits import Header

from lostlight import __version__
from lostlight.core import atomic
from lostlight.core.params import MosaicParams
from lostlight.core.step import Unit
from lostlight.science.mosaic.window import Window
from lostlight.steps.mosaicking import given

_PASSED_ON = (
    "BUNIT", "OBJECT", "TELESCOP", "INSTRUME", "OBSERVER", "SITELAT", "SITELONG", "FOCALLEN",
    "MAGZP", "MAGZPT", "MAGZERO", "PHOTZP",
)  # fmt: skip
"""Cards of the reference frame that may hold for the mosaic: its zero point does, as fluxes and scale are kept."""

_MJD_EPOCH = datetime(1858, 11, 17)


def cards(header: Header) -> dict[str, Any]:
    """Give what a mosaic may take over from the header of a frame."""
    return {key: header[key] for key in _PASSED_ON if key in header and header[key] not in ("", None)}


def headed(unit: Unit, params: MosaicParams, window: Window, factor: float) -> Header:
    """Give the header of the mosaic on a window of the canvas."""
    places, photometry = given.Places.of(unit), given.photometry(unit)
    header = places.canvas.header(window)
    header.update(places.content["frames"][photometry["reference"]]["cards"])
    used = {name: facts for name, facts in given.known(unit).items() if name in photometry["frames"]}
    is_scaled = params.photometry.method in ("overlap", "median_ratio")
    exposure_s = used[photometry["reference"]].get("exptime_s") if is_scaled else None
    for key, (value, comment) in {
        **times(used, exposure_s),
        **saturation(used, photometry["frames"]),
        **_made(params, photometry, len(used), factor),
    }.items():
        header[key] = (value, comment)
    header["PHOTSHA"] = (atomic.sha256_file(unit["photometry"])[:16], "sha256 of the levels it was made with")
    header["SWCREATE"] = (f"lostlight {__version__}", "version of the software")
    return header


def _made(params: MosaicParams, photometry: Mapping[str, Any], n_frames: int, factor: float) -> dict[str, Any]:
    own = params.combine
    return {
        "NCOMBINE": (n_frames, "frames"),
        "PHOTREF": (str(photometry["reference"])[:60], "frame whose level and scale it has"),
        "KERNEL": (params.warp.kernel, "resampling"),
        "CORRFACT": (round(factor, 4), "std of a pixel / what WHT says: noise is shared"),
        "COMBMETH": (own.statistic, "combination"),
        "REJMETH": (own.reject, "rejection"),
        "MOSMODE": (params.mode, "stack, sds or grid"),
    }


def times(used: Mapping[str, Mapping[str, Any]], exposure_s: float | None = None) -> dict[str, Any]:
    """Say when: the middle of all exposures, as one exposure about it would have been dated.

    Parameters
    ----------
    used : mapping of str to mapping
        What is known of the frames: exptime_s, time, filter.
    exposure_s : float or None
        That of the frame whose scale the mosaic has; the mean where it has none.

    Returns
    -------
    dict of str to (value, comment)
    """
    exposures = [float(facts["exptime_s"]) for facts in used.values() if facts.get("exptime_s") is not None]
    starts = [datetime.fromisoformat(facts["time"]) for facts in used.values() if facts.get("time")]
    cards: dict[str, Any] = {}
    earlier = timedelta()
    if exposures:
        mean = sum(exposures) / len(exposures)
        one = mean if exposure_s is None else float(exposure_s)
        earlier = timedelta(seconds=(one - mean) / 2)
        cards["EXPTIME"] = (round(one, 6), "[s] exposure that the level stands for")
        cards["TEXPTIME"] = (round(sum(exposures), 6), "[s] total exposure")
    if starts:
        first = min(starts)
        middle = first + sum(((start - first) for start in starts), timedelta()) / len(starts)
        moments = (
            ("OBS", middle - earlier, "middle of all, less half of EXPTIME"),
            ("BEG", first, "first start"),
            ("END", max(starts), "last start"),
        )
        for key, moment, comment in moments:
            cards[f"DATE-{key}"] = (moment.isoformat(timespec="milliseconds"), f"{comment}, UTC")
            cards[f"MJD-{key}"] = (round((moment - _MJD_EPOCH) / timedelta(days=1), 9), f"[d] {comment}, UTC")
    if filters := {str(facts["filter"]) for facts in used.values() if facts.get("filter")}:
        cards["FILTER"] = (", ".join(sorted(filters)), "")
    return cards


def saturation(used: Mapping[str, Mapping[str, Any]], levels: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Say where pixels begin to hold a saturated sample: the lowest saturation of a frame, once it is levelled."""
    found = [
        min(gain * float(facts["saturate_adu"]) - sky[0] for gain, sky in zip(own["gain"], own["sky"], strict=True))
        for facts, own in ((facts, levels[name]) for name, facts in used.items())
        if facts.get("saturate_adu") is not None
    ]
    return {"SATURATE": (round(min(found), 3), "lowest saturation of the frames, levelled")} if found else {}
