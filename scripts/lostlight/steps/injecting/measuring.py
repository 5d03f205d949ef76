"""One image measured alone: its sky, its noise, the profile of a point; that of a store was measured before."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.core.params import InjectParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.io import epoch_header
from lostlight.io.epoch_files import Image
from lostlight.science.epochs.measure import Measured
from lostlight.science.epochs.measure import measure as measure_image
from lostlight.science.mosaic.warp.spikes import contrast_of, find_spikes
from lostlight.science.motion.times import check_times
from lostlight.steps.injecting import images, measured
from lostlight.steps.injecting.measured import number
from lostlight.steps.injecting.profiles import from_file
from lostlight.steps.injecting.stored import is_stored, known_of
from lostlight.vocab.bits import STACK_BAD


def measure(unit: Unit, params: InjectParams, out: Outputs) -> Result:
    """Measure one image."""
    name = str(unit.facts["image"])
    file = images.file_of(unit, name)
    if is_stored(file):
        before = known_of(file)
        measured.write(out["measured"], before)
        return Result(_metrics(before.known))
    image = images.read(unit, name, params)
    psf = params.psf
    saturation = epoch_header.saturation_adu(image.header)
    found = measure_image(
        image.science,
        (image.bad & STACK_BAD) > 0,
        image.variance,
        mesh_px=params.background.mesh_px,
        detect_sigma=params.background.detect_sigma,
        saturate=saturation if np.isfinite(saturation) else None,
        gain=image.gain_e_adu if np.isfinite(image.gain_e_adu) else None,
        model="gaussian" if psf.model == "gaussian" else "moffat",
        fallback_fwhm_px=psf.fwhm_px,
    )
    known = _known(image, found, params) | from_file(unit, image, params)
    rms_mesh = found.sky.rms_mesh * np.float32(found.noise.sigma_adu / np.median(found.sky.rms_mesh))
    spikes = _spikes(image, found, known, params)
    measured.write(out["measured"], measured.Measured(known, found.sky.mesh, rms_mesh, found.sky.sources, spikes))
    return Result(_metrics(known), warnings=(*image.warnings, *found.warnings))


def _spikes(image: Image, found: Measured, known: dict[str, Any], params: InjectParams) -> NDArray[np.bool_]:
    """Find pixels sharper than any star: cosmic rays, hot and dead pixels; none where no star tells how sharp it is."""
    if params.spikes_sigma is None or known["psf_source"] == "fallback":
        return np.zeros(image.science.shape, bool)
    light = np.where((image.bad & STACK_BAD) > 0, np.nan, image.science - found.sky.level_map).astype(np.float32)
    return find_spikes(light, found.noise.sigma_adu, contrast_of(float(known["fwhm_px"])), params.spikes_sigma)


def _metrics(known: dict[str, Any]) -> dict[str, Any]:
    return {key: known[key] for key in ("mjd_mid", "sigma_adu", "fwhm_px", "n_stars", "psf_source", "lag")}


def _known(image: Image, found: Measured, params: InjectParams) -> dict[str, Any]:
    mjd_mid = image.exposure.mid(params.time_ref)
    check_times([mjd_mid], names=[image.id])
    return {
        "mjd_mid": mjd_mid, "exptime_s": image.exposure.exptime_s, "sigma_adu": found.noise.sigma_adu,
        "gain_e_adu": number(image.gain_e_adu), "zero_mag": number(image.zero_mag), "filter": image.filter,
        "wcs": image.wcs, "mjd_written": image.exposure.mjd,
        "shape": list(image.science.shape), "from_plane": found.noise.from_plane,
        "lag": max(found.noise.lag_x, found.noise.lag_y), "psf": found.psf.psf.record(), "fwhm_px": found.psf.fwhm_px,
        "n_stars": found.psf.n_stars, "psf_source": found.psf.source, "psf_flags": list(found.psf.flags),
        "psf_rms": number(found.psf.rms), "time_card": image.exposure.card, "notes": _notes(image, found),
    }  # fmt: skip


def _notes(image: Image, found: Measured) -> list[str]:
    """Give what was noticed when the image was read, and of its noise, without its name."""
    return [*(said.split(": ", 1)[-1] for said in image.warnings), *filter(None, [found.noise.note])]
