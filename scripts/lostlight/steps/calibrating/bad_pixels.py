"""The map of bad pixels of a camera: from darks, biases and flats, from lights where there are none, and the user's."""

import numpy as np
from astropy.io.fits import Header
from numpy.typing import NDArray

from lostlight.core.params.calibrate import CalibrateParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.io import bad_pixels as files
from lostlight.io import planes as stored
from lostlight.science.calibrate import hot
from lostlight.science.calibrate.diagnostics import unit_record
from lostlight.science.calibrate.planes import Planes
from lostlight.science.calibrate.trouble import Warn, warn
from lostlight.steps.calibrating import product
from lostlight.steps.calibrating.given import raws, reader
from lostlight.steps.calibrating.raw import Trimmed
from lostlight.vocab import bits

_ENOUGH_LIGHTS = 3
_UNSTABLE = 1e-3


def bad_pixels(unit: Unit, params: CalibrateParams, out: Outputs) -> Result:
    """Join what masters show with the map that the user names; darks are asked first, then biases, then lights."""
    maps, header = [], Header()
    shape = int(unit.facts["naxis2"]), int(unit.facts["naxis1"])
    source = next((kind for kind in ("dark", "bias") if any(role.startswith(f"{kind}/") for role in unit.inputs)), "")
    for role in sorted(unit.inputs):
        kind = role.partition("/")[0]
        if kind not in (source, "flat"):
            continue
        planes, header = stored.read(unit[role])
        maps.append(_of_master(kind, planes, header, params))
    if not source and len(raws(unit)) >= _ENOUGH_LIGHTS:
        maps.append(_of_lights(unit, params, out))
        header = header or Header()
    if "user" in unit:
        binning = int(unit.facts["xbin"]), int(unit.facts["ybin"])
        maps.append(files.read(unit["user"], shape, binning))
    found = hot.merge(*maps) if maps else np.zeros(shape, np.uint16)
    return _written(unit, params, out, found, header)


def _of_master(kind: str, planes: stored.StoredPlanes, header: Header, params: CalibrateParams) -> NDArray[np.uint16]:
    cosmetic, pattern = params.cosmetic, str(header.get("BAYERPAT", ""))
    told = planes.dq if planes.dq is not None else np.zeros(planes.data.shape, np.uint16)
    if kind == "flat":
        found = hot.map_of_flat(planes.data, bayerpat=pattern) | (told & np.uint16(bits.dq("COLD")))
        return found if cosmetic.cold_sigma is not None else np.zeros_like(found)
    found = hot.map_of_master(planes.data, cosmetic.hot_sigma, cosmetic.cold_sigma, bayerpat=pattern)
    # hot and cold pixels that were mended in the master are told by its bits alone
    return found | (told & np.uint16(bits.dq("HOT", "COLD", "UNSTABLE")))


def _of_lights(unit: Unit, params: CalibrateParams, out: Outputs) -> NDArray[np.uint16]:
    raw = raws(unit)
    frames = [each.frame for each in raw]
    cosmetic = params.cosmetic
    with reader(raw, out["bpm"].parent) as rows:
        trimmed = Trimmed(rows, frames, params.light.overscan)
        return hot.stationary(
            len(frames), trimmed.shape, trimmed, cosmetic.hot_sigma, cosmetic.cold_sigma, bayerpat=frames[0].bayerpat
        )


def _written(unit: Unit, params: CalibrateParams, out: Outputs, found: NDArray[np.uint16], header: Header) -> Result:
    cards = Header([card for card in header.cards if card.keyword in ("INSTRUME", "XBINNING", "YBINNING", "READOUTM")])
    cards["IMAGETYP"] = ("Bad Pixel Map", "bits of data quality")
    whole = Planes(found.astype(np.float32), None, found)
    stored.write(out["bpm"], whole, cards)
    out.sizes["bpm"] = list(found.shape)
    counts = {name: int(np.count_nonzero(found & bits.dq(name))) for name in ("HOT", "COLD", "BAD", "UNSTABLE")}
    warnings: list[Warn] = []
    share = counts["UNSTABLE"] / found.size
    if share > _UNSTABLE:
        warnings.append(warn("CAL222", unit.id, f"{100 * share:.2g} % of the pixels are unstable", share))
    record = unit_record("bpm", unit.id, Planes(found, None, found), unit="", warnings=warnings)
    metrics = {f"n_{name.lower()}": count for name, count in counts.items()}
    return product.conclude(out, record, Planes(found, None, found), warnings, metrics)
