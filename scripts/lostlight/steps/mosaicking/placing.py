"""Where every frame lies: by its own sky solution, or by its stars; and the canvas that holds them all."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from astropy.io.fits import Header
from astropy.wcs import WCS
from numpy.typing import NDArray

from lostlight.core import atomic
from lostlight.core.errors import ConfigError
from lostlight.core.params import MosaicParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.io import arrays
from lostlight.science.mosaic.canvas import Canvas, CanvasRules, plan_canvas
from lostlight.science.mosaic.footprint import pixel_size, to_pixels, to_world
from lostlight.science.mosaic.frame.common_sources import common_sources
from lostlight.science.mosaic.frame.levels import aperture_radius
from lostlight.science.mosaic.frame.measure import Measured
from lostlight.science.mosaic.register.register import Registered, StarList, register
from lostlight.steps.mosaicking import given
from lostlight.steps.mosaicking.frames import wcs_of
from lostlight.steps.mosaicking.header import cards
from lostlight.steps.mosaicking.solving import solved


@dataclass(frozen=True)
class _Seen:
    measured: Measured
    header: Header
    shape: tuple[int, int]


def canvas(unit: Unit, params: MosaicParams, out: Outputs) -> Result:
    """Place all frames that could be measured, and lay out the canvas."""
    seen = {name: _Seen(*given.read_measured(path)) for name, path in given.given(unit, given.MEASURED).items()}
    reasons = given.missing(unit, given.MEASURED)
    if not seen:
        raise ConfigError(
            f"none of {len(reasons)} frames can be used; {next(iter(reasons.items()))[1]}",
            hint="look at the frames, or at mosaic.frames",
        )
    solutions = {name: wcs for name, each in seen.items() if (wcs := wcs_of(each.header)) is not None}
    registered = _registered(unit, seen, solutions, params) if len(solutions) < len(seen) else None
    known: dict[str, WCS] = dict(solutions)
    if registered:
        known |= {name: wcs for name, wcs in registered.wcs.items() if name not in solutions}
        if not solutions:
            first = seen[registered.reference]
            known |= solved(registered, first.header, first.measured.stars, first.shape, params)
        reasons |= {name: error.message for name, error in registered.failed.items() if name not in solutions}
    shapes = {name: seen[name].shape for name in known}
    planned = plan_canvas(
        {name: (known[name], shapes[name]) for name in sorted(known)}, CanvasRules(**params.canvas.model_dump())
    )
    polygons = {name: planned.polygon(known[name], shapes[name]) for name in sorted(known)}
    side = pixel_size(planned.wcs, planned.shape)
    sizes = {name: pixel_size(known[name], shapes[name]) / side for name in polygons}
    widths = [seen[name].measured.fwhm_px * size for name, size in sizes.items()]
    circles = [_circles(seen[name].measured.sources, known[name], planned, size) for name, size in sizes.items()]
    sources = common_sources(circles, list(polygons.values()), widths, planned.shape)
    arrays.write(out["sources"], {"circles": sources})
    content = {
        "canvas": planned.header().tostring(sep="\n"),
        "radius_px": aperture_radius(widths),
        "frames": {
            name: {
                "reason": reasons.get(name, ""),
                "wcs": "" if name in solutions or name in reasons else _text(known[name]),
                "cards": cards(seen[name].header) if name in seen else {},
                "outline": polygons[name].tolist() if name in known else [],
            }
            for name in sorted({*seen, *reasons})
        },
        "registration": _told(registered, solutions, planned.is_sky),
    }
    atomic.write_json(out["canvas"], content)
    warnings = [f"{name} is left out: {why}" for name, why in sorted(reasons.items())]
    metrics = {"n_placed": len(known), "n_left_out": len(reasons), "nx": planned.shape[1], "ny": planned.shape[0]}
    return Result(metrics, warnings=warnings)


def _circles(sources: NDArray[np.float32], wcs: WCS, planned: Canvas, size: float) -> NDArray[np.float64]:
    """Bring the circles around the sources of a frame to the canvas."""
    x, y, radius = sources.T.astype(np.float64)
    return np.column_stack([*to_pixels(planned.wcs, *to_world(wcs, x, y)), radius * size])


def _registered(
    unit: Unit, seen: Mapping[str, _Seen], solutions: Mapping[str, WCS], params: MosaicParams
) -> Registered:
    stars = {name: each.measured.stars for name, each in seen.items()}
    known = given.known(unit)
    times = {name: datetime.fromisoformat(known[name]["time"]).timestamp() for name in seen if known[name]["time"]}
    found = register(
        {name: StarList(table.x, table.y, table.flux) for name, table in stars.items()},
        {name: each.shape for name, each in seen.items()},
        min_stars=params.registration.min_stars,
        anchors=solutions,
        times=times if len(times) == len(seen) else None,
    )
    if not found.wcs and not solutions:
        first = min(found.failed)
        raise ConfigError(
            f"no two of {len(seen)} frames could be laid over each other; {found.failed[first].message}",
            hint="give frames with a sky solution, or longer exposures with more stars",
        )
    return found


def _text(wcs: WCS) -> str:
    header = wcs.to_header(relax=True)
    text: str = header.tostring(sep="\n")
    return text


def _told(registered: Registered | None, solutions: Collection[str], is_sky: bool) -> dict[str, Any]:
    if registered is None:
        return {"method": "wcs"}
    with_sky = "stars and wcs" if solutions else "stars and astrometry.net"
    return {
        "method": with_sky if is_sky else "stars",
        "reference": registered.reference,
        "n_registered": sum(name not in solutions for name in registered.wcs),
        "pairs": [vars(pair) for pair in registered.residuals],
        "groups": [list(group) for group in registered.groups],
    }
