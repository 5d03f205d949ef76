"""The images of a field as one stack: in order of time, each as it is, with its sky, noise, mask and profile."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError
from lostlight.core.params import InjectParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.io import stack_store
from lostlight.io.stack_store import StackWriter
from lostlight.science.epochs.background import level
from lostlight.science.motion.times import check_times
from lostlight.steps.injecting import images, measured
from lostlight.steps.injecting.measured import Measured, number
from lostlight.steps.injecting.stored import is_stored, sky_of
from lostlight.vocab import bits

FEWEST = 3
"""Images that a stack must have at least."""


def stack(unit: Unit, params: InjectParams, out: Outputs) -> Result:
    """Stack the images that could be measured."""
    known = {name: measured.read(unit[MEASURED + name]) for name in images.names(unit) if MEASURED + name in unit}
    left_out = {name: str(unit.facts[MEASURED + name]) for name in images.names(unit) if MEASURED + name not in unit}
    if len(known) < FEWEST:
        raise ConfigError(
            f"{len(known)} of {len(known) + len(left_out)} images can be used, and {FEWEST} are needed;"
            f" {next(iter(left_out.values()), '')}",
            hint="look at the images, or at inject.planes",
        )
    order = sorted(known, key=lambda name: (known[name].known["mjd_mid"], name))
    facts = [known[name].known for name in order]
    mjd = [each["mjd_mid"] for each in facts]
    warnings = check_times(mjd, names=order, written=[each.get("mjd_written", each["mjd_mid"]) for each in facts])
    _refuse_mixed({name: known[name] for name in order})
    shape = tuple(max(known[name].shape[axis] for name in order) for axis in (0, 1))
    about = {"left_out": left_out, "id": unit.facts["stack"], "sky": _sky(unit, order[0], params)}
    scale = _scales(facts)
    with stack_store.writing(out["stack"], (len(order), *shape), about) as store:
        for place, name in enumerate(order):
            _put(store, place, unit, name, known[name], scale[place], params)
    out.sizes["stack"] = [len(order), *shape]
    warnings += [f"{name} is left out: {why}" for name, why in sorted(left_out.items())]
    return Result(_metrics(known, order, left_out), warnings=warnings)


MEASURED = "measured: "
"""Beginning of the roles of what was measured of each image."""


def _sky(unit: Unit, name: str, params: InjectParams) -> dict[str, Any]:
    """Tell how the sky was measured."""
    file = images.file_of(unit, name)
    return sky_of(file) if is_stored(file) else params.background.model_dump()


def _put(
    store: StackWriter, place: int, unit: Unit, name: str, known: Measured, scale: float, params: InjectParams
) -> None:
    image = images.read(unit, name, params)
    marks = image.bad.copy()
    marks[known.sources] |= np.uint32(bits.stack("STAR"))
    marks[known.spikes] |= np.uint32(bits.stack("SPIKE"))
    facts = known.known
    names = ("mjd_mid", "exptime_s", "sigma_adu", "gain_e_adu", "zero_mag", "fwhm_px")
    numbers = {key: np.nan if facts[key] is None else facts[key] for key in names} | {"scale": scale}
    record = {key: value for key, value in facts.items() if key not in names} | {"id": name}
    store.put(
        place, image.science, marks, variance=variance_of(image.variance, known, marks), numbers=numbers,
        record=record, extra={"mesh": known.mesh, "rms_mesh": known.rms_mesh},
    )  # fmt: skip


def variance_of(plane: NDArray[np.float32] | None, known: Measured, bad: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Give the variance of every pixel: the plane that came with the image if it was believed, else that of the sky."""
    found = plane.copy() if known.known["from_plane"] and plane is not None else level(known.rms_mesh, known.shape) ** 2
    found[bad & bits.STACK_BAD > 0] = np.nan
    return found


def _refuse_mixed(known: Mapping[str, Measured]) -> None:
    """Refuse images of which some have a sky and some have not, and such without it that differ in shape."""
    without = [name for name, each in known.items() if not each.known["wcs"]]
    if without and len(without) < len(known):
        raise ConfigError(
            f"{len(without)} of {len(known)} images have no sky solution, among them {without[0]}",
            hint="give all of them one, or leave those out; lights of step 12 are placed by their stars",
        )
    shapes = {each.shape for each in known.values()}
    if without and len(shapes) > 1:
        told = ", ".join(f"{nx} x {ny}" for ny, nx in sorted(shapes))
        raise ConfigError(f"images without a sky solution differ in size: {told}", hint="give them a sky solution")


def _scales(known: list[dict[str, Any]]) -> NDArray[np.float64]:
    """Give the factors that bring fluxes to the scale of the first image: by the magnitudes, where all know theirs."""
    zero = np.array([each["zero_mag"] for each in known], np.float64)
    return 10 ** (0.4 * (zero[0] - zero)) if np.isfinite(zero).all() else np.ones(len(known))


def _metrics(known: Mapping[str, Measured], order: list[str], left_out: Mapping[str, str]) -> dict[str, Any]:
    facts = [known[name].known for name in order]
    return {
        "n_images": len(order), "n_left_out": len(left_out),
        "arc_days": facts[-1]["mjd_mid"] - facts[0]["mjd_mid"],
        "fwhm_px": number(float(np.median([each["fwhm_px"] for each in facts]))),
        "sigma_adu": number(float(np.median([each["sigma_adu"] for each in facts]))),
        "n_measured_psf": sum(each["psf_source"] == "stars" for each in facts),
    }  # fmt: skip
