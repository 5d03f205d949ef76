"""Cut-outs with one source each, for machine learning.

The truth of a store of cases holds, besides the columns of `lostlight.vocab.movers.INJECTED` (places there are those on
the whole images), `case`, `label`, the place on each image within the cut-out (`track_x_px`, `track_y_px`, both (N, T))
and the numbers of INJECTED_EPOCHS as `image_<name>`, (N, T).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError
from lostlight.core.params import InjectParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.io import case_files, case_store, stack_store
from lostlight.io.stack_store import Stack
from lostlight.science.epochs.patches import patch, patch_corners, patch_noise
from lostlight.science.inject.batch import BLOCK, Batch, inject_batch
from lostlight.science.inject.described import plain
from lostlight.science.inject.plan import Stars
from lostlight.science.inject.rules import InjectionRules
from lostlight.steps.injecting import gridding, planning
from lostlight.steps.injecting.gridding import OneGrid, Progress

_TOLD_ONCE = ("inj_id", "epoch", "image_id", "mjd_mid", "exptime_s", "x_px", "y_px")


@dataclass(frozen=True, eq=False)
class Cutting:
    """What cases are cut from, and what is planted in them.

    Parameters
    ----------
    stack_id : str
    ground : OneGrid
    params : InjectParams
    stars : (x, y, flux) or None
        Static sources, in pixels of the grid.
    """

    stack_id: str
    ground: OneGrid
    params: InjectParams
    stars: Stars | None

    @property
    def side(self) -> int:
        """Pixels on a side of a cut-out."""
        return self.params.cases.patch_px

    @cached_property
    def rules(self) -> InjectionRules:
        """What is planted."""
        rates = planning.rates_of(self.params, self.ground.epochs, (self.side, self.side))
        return planning.rules_of(self.params, 0, self.stack_id, rates)

    @property
    def scale_arcsec(self) -> float:
        """Side of a pixel."""
        own = self.ground.scale_arcsec
        return own if np.isfinite(own) else self.params.plate_scale_arcsec

    def batches(self, threads: int = 1) -> Iterator[Batch]:
        """Make all cases, some at a time; the same for any number of threads."""
        for first in range(0, self.params.cases.n, BLOCK):
            yield inject_batch(
                self.ground.epochs,
                range(first, min(first + BLOCK, self.params.cases.n)),
                self.rules,
                bad=self.ground.is_bad,
                patch_px=self.side,
                stride_px=self.params.cases.stride_px,
                stars=self.stars,
                threads=threads,
            )


def cases(unit: Unit, params: InjectParams, out: Outputs) -> Result:
    """Cut out and plant."""
    cut = cutting(unit["stack"], params)
    write_store(out["cases"], cut, cut.batches(unit.lent.threads))
    out.sizes["cases"] = [params.cases.n, len(cut.ground.epochs), cut.side, cut.side]
    return Result({"n_cases": params.cases.n, "n_patches": n_patches(cut)})


def cutting(path: Path, params: InjectParams) -> Cutting:
    """Make ready to cut cases out of a stack.

    Raises
    ------
    ConfigError
        If cut-outs are larger than the images or narrower than a point, or motion is that of a table.
    ContractError
        If the store cannot be read.
    """
    store = stack_store.open_store(path)
    stack_id, (height, width), side = str(store.attributes["id"]), store.shape[1:], params.cases.patch_px
    if side > min(height, width):
        raise ConfigError(
            f"cut-outs of {side} x {side} px do not fit into images of {width} x {height} px",
            hint=f"make inject.cases.patch_px {min(height, width)} or less",
        )
    if params.motion == "table":
        raise ConfigError("cases draw their own bodies: motion cannot be that of a table", hint="take linear or abg")
    _refuse_wide(store, side)
    ground = gridding.on_one_grid(path, params.registration.kernel, params.photons.gain_e_adu)
    stars = planning.stars(store) if params.placement.strategy == "near_star" else None
    if stars is not None:
        x, y, flux = stars
        stars = x - ground.grid.x0, y - ground.grid.y0, flux
    return Cutting(stack_id, ground, params, stars)


def _refuse_wide(store: Stack, side: int) -> None:
    """Refuse points that are wider than cut-outs."""
    widest = float(np.max(store.numbers["fwhm_px"]))
    if widest > side:
        raise ConfigError(
            f"a point is {widest:.3g} px wide, and does not fit into cut-outs of {side} x {side} px",
            hint="make inject.cases.patch_px larger, or look at how the profile was measured (inject.psf)",
        )


def n_patches(cut: Cutting) -> int:
    """Count the places that cut-outs are taken from."""
    return len(patch_corners(cut.ground.grid.shape, cut.side, cut.params.cases.stride_px))


def write_store(path: Path, cut: Cutting, batches: Iterator[Batch], progress: Progress | None = None) -> None:
    """Write cases as a store, whole or not at all."""
    light, n = cut.ground.light, cut.params.cases.n
    is_stored = cut.params.cases.store_x
    shape = (len(light), cut.side, cut.side)
    with case_store.writing(path, n, shape, _about(cut), store_x=is_stored) as store:
        store.base(cut.stack_id, cut.ground.grid.shape, light)
        done = 0
        for batch in batches:
            store.put(batch.y, truth_of(batch, cut), batch.x(light) if is_stored else None)
            done += len(batch.cases)
            if progress:
                progress(done, n, "cases.zarr")


def write_files(folder: Path, cut: Cutting, batch: Batch) -> list[Path]:
    """Write cases as files of one each, ``case_000000.npz`` and so on."""
    light, epochs = cut.ground.light, cut.ground.epochs
    sigma = patch_noise(light, ~np.isfinite(light) | cut.ground.sources, batch.corner, cut.side)
    sigma = np.where(np.isfinite(sigma), sigma, epochs.sigma_adu)
    x, n_images = batch.x(light), len(epochs)
    written = []
    for i, case in enumerate(batch.cases.tolist()):
        rows = batch.images[i * n_images : (i + 1) * n_images]
        case_files.write(
            folder / f"case_{case:06d}.npz",
            patch_stack=patch(light, batch.corner[i], cut.side),
            x=x[i],
            y=batch.y[i],
            sigma_patch=sigma[i],
            timestamps=epochs.days * 24,
            plate_scale=cut.scale_arcsec,
            psf_fwhm=np.array([psf.fwhm_px for psf in epochs.psfs]),
            meta=meta_of(batch, i, cut),
            truth=rows.as_array(),
        )
        written.append(folder / f"case_{case:06d}.npz")
    return written


def truth_of(batch: Batch, cut: Cutting) -> dict[str, NDArray[Any]]:
    """Give the facts of cases as columns, (N,) and (N, T)."""
    n, shape = len(batch.cases), (len(batch.cases), len(cut.ground.epochs))
    row, column = batch.corner.T
    images = {name: np.asarray(batch.images[name]).reshape(shape) for name in batch.images.colnames}
    return {
        "stack": np.full(n, cut.stack_id),
        "row": row,
        "column": column,
        "case": batch.cases,
        "label": batch.label,
        **{name: np.asarray(batch.sources[name]) for name in batch.sources.colnames if name != "stack_id"},
        "track_x_px": images["x_px"] - column[:, None],
        "track_y_px": images["y_px"] - row[:, None],
        **{f"image_{name}": values for name, values in images.items() if name not in _TOLD_ONCE},
    }


def meta_of(batch: Batch, i: int, cut: Cutting) -> dict[str, Any]:
    """Describe one case in plain JSON values, in the words of `lostlight.inject`."""
    facts = {name: values[i] for name, values in truth_of(batch, cut).items()}
    epochs, side = cut.ground.epochs, cut.side
    x, y = facts["track_x_px"], facts["track_y_px"]
    inside = (x >= -0.5) & (x < side - 0.5) & (y >= -0.5) & (y < side - 0.5)
    here = {name: facts[name] for name in ("stack", "row", "column", "case", "label", "sample_type", "subclass")}
    meta = {
        **here,
        **{name: facts[name] for name in ("inj_id", "pa_deg", "r_helio_au", "snr_stack", "flux_adu", "mag", "weight")},
        "seed": cut.rules.seed,
        "plate_scale_arcsec_per_px": cut.scale_arcsec,
        "n_frames": len(epochs),
        "patch_shape": (side, side),
        "timestamps_hours": epochs.days * 24,
        "mjd_mid": epochs.mjd_mid,
        "target_strategy": cut.rules.target.strategy,
        "brightness_mode": cut.rules.brightness.mode,
        "flux_definition": "total",
        "flux_peak": facts["flux_adu"],
        "motion_frame": "pixel" if cut.ground.grid.wcs is None else "sky",
        "motion_ra_arcsec_per_hour": np.mean(facts["image_rate_ra_arcsec_h"]),
        "motion_dec_arcsec_per_hour": np.mean(facts["image_rate_dec_arcsec_h"]),
        "start_x_px": x[0],
        "start_y_px": y[0],
        "trajectory_x": x,
        "trajectory_y": y,
        "frames_in_patch": inside.sum(),
        "psf": [psf.record() for psf in epochs.psfs],
        "snr_frame": facts["image_snr_frame"],
        "flux_expected": facts["image_flux_expected_adu"],
        "flux_realised": facts["image_flux_realised_adu"],
        "frac_flux_masked": facts["image_frac_masked"],
    }
    told: dict[str, Any] = plain(meta)
    return told


def _about(cut: Cutting) -> dict[str, Any]:
    """Tell what holds for all cases."""
    epochs, params = cut.ground.epochs, cut.params
    about = {
        "mjd_mid": epochs.mjd_mid,
        "exptime_s": epochs.exptime_s,
        "image_ids": epochs.ids,
        "sigma_adu": epochs.sigma_adu,
        "psf_fwhm_px": [psf.fwhm_px for psf in epochs.psfs],
        "psf": [psf.record() for psf in epochs.psfs],
        "plate_scale_arcsec": cut.scale_arcsec,
        "seed": params.seed,
        "patch_px": cut.side,
        "stride_px": params.cases.stride_px,
        "classes": dict(cut.rules.classes),
        "brightness": params.brightness.model_dump(),
        "placement": params.placement.model_dump(),
        "motion": params.motion,
    }
    told: dict[str, Any] = plain(about)
    return told
