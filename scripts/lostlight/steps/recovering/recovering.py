"""Planted sources searched for: copy by copy of the images, each made as the images of a search are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from lostlight.core.params import RecoverParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.io import arrays, tables
from lostlight.science.epochs.background import sky_mesh
from lostlight.science.inject.images import Stamps
from lostlight.science.population.relations import grid_loss, pixel_loss
from lostlight.science.recover import local
from lostlight.science.recover.cutouts import cutouts
from lostlight.science.recover.forced import correlations
from lostlight.science.recover.local import Outcome
from lostlight.science.recover.match import false_density
from lostlight.science.recover.table import Bar, Seen, recoveries
from lostlight.science.search.cap import capped
from lostlight.science.search.rules import Peaks
from lostlight.science.search.survivors import Survivors, Tracks, survivors
from lostlight.science.search.threshold import lattice_step
from lostlight.science.search.velocities import shift_tables
from lostlight.steps.recovering import evidence
from lostlight.steps.recovering import ground as grounds
from lostlight.steps.recovering.bench import Bench
from lostlight.steps.recovering.evidence import Evidence, Plates
from lostlight.steps.recovering.ground import Ground
from lostlight.steps.recovering.units import ALARMS, BAND
from lostlight.vocab import bits
from lostlight.vocab.movers import RECOVERIES

FloatArray = NDArray[np.float64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Share:
    """Planted sources of a share: their table, where they are on the grid on each image, and their light.

    Parameters
    ----------
    sources : Table
        n rows of ``INJECTED``.
    number : (n,) int64
        Of each in the plan, by which its stamps are known.
    x, y : (n, T) float64
        Pixels of the grid; NaN where it is on no image.
    masked, blended : (n,) float64
        Part of its light on bad pixels; part of its images where a static source is.
    stamps : Stamps
    is_native : bool
        Whether they are planted before the sky is taken off.
    """

    sources: Table
    number: NDArray[np.int64]
    x: FloatArray
    y: FloatArray
    masked: FloatArray
    blended: FloatArray
    stamps: Stamps
    is_native: bool


def recover(unit: Unit, params: RecoverParams, out: Outputs) -> Result:
    """Search for the planted sources of a share."""
    ground, bench = grounds.opened(unit["stack"], params), Bench(unit.lent)
    plates = Plates(ground, out["recovered"].parent)
    share = _share(unit, ground, plates.hidden)
    if not len(share.sources):
        tables.write(tables.empty(RECOVERIES), out["recovered"], RECOVERIES)
        return Result({"n_planted": 0, "n_recovered": 0})
    outcomes, kept = _outcomes(ground, plates, share, bench, _known(unit, ground))
    found = _table(unit, ground, share, outcomes, kept)
    tables.write(found, out["recovered"], RECOVERIES)
    out.sizes["recovered"] = [len(found)]
    arrays.write(out["cutouts"], _examples(ground, share, found))
    return Result({"n_planted": len(found), "n_recovered": int(found["is_recovered"].sum())}, warnings=bench.warnings)


def _share(unit: Unit, ground: Ground, hidden: NDArray[np.bool_]) -> Share:
    sources, images = tables.read(unit["sources"]), tables.read(unit["epochs"])
    ours = np.flatnonzero(np.asarray(sources["realisation"]) % int(unit.facts["n_shares"]) == int(unit.facts["share"]))
    shape = (len(sources), len(ground.epochs))
    columns = {name: np.asarray(images[name]).reshape(shape)[ours] for name in images.colnames}
    x, y = _on_grid(ground, columns)
    on = columns["frac_on_image"] > 0
    x, y = np.where(on, x, np.nan), np.where(on, y, np.nan)
    light = np.where(on, columns["flux_expected_adu"], 0)
    weight = np.divide(light, light.sum(axis=1, keepdims=True), out=np.zeros(light.shape), where=light > 0)
    blended = _is_on(hidden, x, y) | ((columns["inj_flags"] & bits.injection("BLENDED")) > 0)
    n_on = np.maximum(on.sum(axis=1), 1)
    return Share(
        sources[ours], ours, x, y, (weight * columns["frac_masked"]).sum(axis=1),
        (blended & on).sum(axis=1) / n_on, Stamps(**arrays.read(unit["stamps"])), bool(unit.facts["is_native"]),
    )  # fmt: skip


def _known(unit: Unit, ground: Ground) -> Tracks:
    """Give where the candidates of the images as they are, are on each image, in pixels of the grid."""
    found = [tables.read(path) for role, path in sorted(unit.inputs.items()) if role.startswith(BAND)]
    columns = {name: np.concatenate([[], *(np.asarray(table[name], float) for table in found)])[:, None]
               for name in ("x_px", "y_px", "vx_px_day", "vy_px_day")}  # fmt: skip
    days, grid = ground.epochs.days, ground.grid
    return (columns["x_px"] - grid.x0 + columns["vx_px_day"] * days,
            columns["y_px"] - grid.y0 + columns["vy_px_day"] * days)  # fmt: skip


def _on_grid(ground: Ground, columns: dict[str, NDArray]) -> tuple[FloatArray, FloatArray]:
    """Give where sources are on the grid, (n, T) each."""
    if ground.grid.wcs is None:
        return columns["x_px"] - ground.grid.x0, columns["y_px"] - ground.grid.y0
    ra, dec = columns["ra_deg"], columns["dec_deg"]
    x, y = ground.grid.wcs.all_world2pix(ra.ravel(), dec.ravel(), 0, quiet=True)
    return x.reshape(ra.shape), y.reshape(ra.shape)


def _is_on(mask: NDArray[np.bool_], x: FloatArray, y: FloatArray) -> NDArray[np.bool_]:
    column, row = (np.rint(np.nan_to_num(value, nan=-1)).astype(np.int64) for value in (x, y))
    inside = (column >= 0) & (column < mask.shape[1]) & (row >= 0) & (row < mask.shape[0])
    return inside & mask[np.where(inside, row, 0), np.where(inside, column, 0)]


def _outcomes(
    ground: Ground, plates: Plates, share: Share, bench: Bench, known: Tracks
) -> tuple[list[Outcome], FloatArray]:
    """Search for each source; and tell which part of its light the background leaves."""
    before = plates.gathered()
    linear, after = before.copy(plates.folder), before.copy(plates.folder)
    seen_by_search = evidence.capped(ground, after, plates.folder)
    grounds_of = [_local_ground(ground, made, seen_by_search, known) for made in (before, linear, after)]
    found: dict[int, Outcome] = {}
    kept = np.full(len(share.sources), np.nan)
    copies = np.asarray(share.sources["realisation"])
    for copy in np.unique(copies):
        members = np.flatnonzero(copies == copy)
        touched = _plant(ground, plates, share, members, linear, after)
        for number in touched:
            seen_by_search[number] = capped(after.psi[number], after.phi[number], ground.cap)
        seen = _whole(grounds_of[2], bench) if ground.params.mode == "full" else None
        for i in members:
            path = share.x[i], share.y[i]
            clean, ideal, left = (local.forced(each, *path).lh for each in grounds_of)
            kept[i] = (left - clean) / (ideal - clean) if ideal - clean > 1 else np.nan
            found[int(i)] = local.recover(grounds_of[2], *path, ideal - clean, seen)
        for number in touched:
            linear.psi[number] = after.psi[number] = before.psi[number]
            seen_by_search[number] = capped(before.psi[number], before.phi[number], ground.cap)
    return [found[i] for i in range(len(share.sources))], kept


def _plant(
    ground: Ground, plates: Plates, share: Share, members: NDArray[np.int64], linear: Evidence, after: Evidence
) -> NDArray[np.int64]:
    """Plant the sources of one copy: in `linear` their light alone, in `after` what a sky measured with them leaves."""
    touched = np.unique(share.stamps.epoch[np.isin(share.stamps.source, share.number[members])])
    for number in touched:
        light = planted_light(ground, share, members, int(number))
        linear.psi[number] = plates.on_grid(number, plates.with_light(number, light))[0]
        after.psi[number] = linear.psi[number]
        if share.is_native:
            lost = _sky_with(ground, int(number), light) - evidence.sky(ground, int(number))
            after.psi[number] = plates.on_grid(number, plates.with_light(number, light - lost))[0]
    return touched


def planted_light(ground: Ground, share: Share, members: Sequence[int] | NDArray[np.int64], number: int) -> Floats:
    """Give the light of some sources on an image, (ny, nx) float32, adu."""
    among = np.zeros(int(share.number.max()) + 1, bool)
    among[share.number[members]] = True
    rows, columns = evidence.own_size(ground, number)
    return share.stamps.light(number, (rows.stop, columns.stop), among)


def _sky_with(ground: Ground, number: int, light: Floats) -> Floats:
    """Measure the sky of an image again, with planted light in it."""
    about = ground.store.attributes["sky"]
    planted = evidence.science(ground, number) + light
    return sky_mesh(planted, evidence.bad(ground, number), about["mesh_px"], about["detect_sigma"]).level_map


def _local_ground(ground: Ground, made: Evidence, searched: Floats, known: Tracks) -> local.Ground:
    return local.Ground(
        made.psi, made.phi, ground.epochs.days, ground.velocities, ground.search_rules, ground.rules, ground.profile,
        np.array([correlations(psf.kernel()) for psf in ground.epochs.psfs]), ground.params.match_fwhm,
        searched, ground.params.vetting.mask_static, known,
    )  # fmt: skip


def _whole(where: local.Ground, bench: Bench) -> tuple[Peaks, Survivors]:
    """Search a whole copy."""
    dx, dy = shift_tables(where.velocities, where.days)
    peaks = bench.search(where.sight, where.phi, dx, dy, where.search)
    return peaks, survivors(where.psi, where.phi, where.days, where.velocities, peaks, where.rules)


def _table(unit: Unit, ground: Ground, share: Share, outcomes: Sequence[Outcome], kept: FloatArray) -> Table:
    epochs, v = ground.epochs, ground.velocities
    s_px = ground.fwhm_px / 2.3548
    step_px = lattice_step(v) * float(epochs.days[-1])
    loss = float(pixel_loss(s_px) + grid_loss(step_px, s_px))
    seen = Seen(epochs.days, share.x, share.y, share.masked, share.blended, kept)
    bar = Bar(ground.threshold, ground.min_epochs, ground.fwhm_px, loss, ground.params.max_chance)
    false, n_nulls = _false(unit)
    density = false_density(
        [each.lh_found for each in outcomes], false, ground.n_pixels * max(n_nulls, 1), len(v) * max(step_px, 1.0) ** 2
    )
    return recoveries(share.sources, outcomes, seen, bar, density)


def _false(unit: Unit) -> tuple[FloatArray, int]:
    """Gather the likelihoods of all false candidates, and count the searches that they are from."""
    made = [tables.read(path) for role, path in unit.inputs.items() if role.startswith(ALARMS)]
    found = np.concatenate([[], *(np.asarray(table["lh"], float) for table in made)])
    return found, len({role.rsplit("_", 1)[0] for role in unit.inputs if role.startswith(ALARMS)})


def _examples(ground: Ground, share: Share, found: Table) -> dict[str, NDArray[np.float32]]:
    """Cut out the first source that was missed for each reason."""
    because = np.asarray(found["lost_because"], str)
    made = {}
    for reason in sorted(set(because) - {""}):
        i = int(np.flatnonzero(because == reason)[0])
        place = (share.x[i], share.y[i])

        def image_of(number: int, i: int = i) -> Floats:
            light = planted_light(ground, share, [i], number)
            return evidence.science(ground, number) + light - evidence.sky(ground, number)

        squares = cutouts(image_of, ground.grid, ground.epochs.wcs, ground.epochs.sigma_adu, *place)
        if np.isfinite(squares).any():
            made[f"{reason} {found['inj_id'][i]}"] = squares
    return made
