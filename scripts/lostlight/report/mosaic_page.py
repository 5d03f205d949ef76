"""The page of a mosaic: the image with zoom, levels, overlaps and frames, in a file that needs nothing but itself."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lostlight.report import mosaic, mosaic_pictures, mosaic_words
from lostlight.report.calibration_pictures import address
from lostlight.report.figures import mosaics
from lostlight.report.products import environment, troubles

PICTURES = ("preview", "before", "after", "coverage", "weight")
"""Names of the pictures that the page shows; see `lostlight.report.mosaic_pictures`."""
_MAPS = ("coverage", "weight")
_PAIRS_SHOWN = 20
_WARNINGS_SHOWN = 12
_FILTERS = {
    "channels": mosaic_words.channels,
    "factors": mosaic_words.factors,
    "coefficients": mosaic_words.coefficients,
}
_BY_FRAME = {"gain": "gain", "fwhm_px": "FWHM, px", "sigma": "noise{in_unit}", "weight": "weight"}


def html(
    metrics: Mapping[str, Any],
    pictures: Mapping[str, bytes],
    title: str = "",
    others: Mapping[str, str] | None = None,
    files: Sequence[str] = (),
) -> str:
    """Render the page.

    Parameters
    ----------
    metrics : mapping
        Content of ``metrics.json``.
    pictures : mapping of str to bytes
        PNG files under the names of `PICTURES`; what is absent is left out.
    title : str
        Heading; else mosaic, and its filter.
    others : mapping of str to str, optional
        Pages of the mosaics in other filters: name to address.
    files : sequence of str
        Names of the files beside the page that it links to.
    """
    return (
        environment(_FILTERS)
        .get_template("mosaic.html")
        .render(
            title=title or " ".join(filter(None, ("Mosaic", metrics["filter"]))),
            m=metrics,
            size=mosaic.size(metrics),
            sentence=mosaic.sentence(metrics),
            residual=mosaic.residual(metrics),
            noun={"sds": "lot", "grid": "tile"}.get(metrics["mode"], "lot"),
            troubles=troubles(metrics["warnings"]),
            pictures={
                name: address(mosaic_pictures.page_sized(content), lossless=name in _MAPS)
                for name, content in pictures.items()
            },
            charts=_charts(metrics),
            gains_of_lots=mosaics.are_tiles(metrics),
            worst=_worst(metrics),
            is_seam=mosaic_words.is_seam,
            pairs_shown=_PAIRS_SHOWN,
            warnings_shown=_WARNINGS_SHOWN,
            palette=mosaic_pictures.palette(),
            registration=mosaic_words.registration(metrics),
            combination=mosaic_words.combination(metrics),
            what_next=mosaic_words.what_next(metrics),
            steps=mosaic_words.STEPS,
            glossary=mosaic_words.GLOSSARY,
            params=json.dumps(metrics["params"], indent=1, ensure_ascii=False),
            wcs=json.dumps(metrics["canvas"]["wcs"]),
            others=others or {},
            files=files,
        )
    )


def _charts(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Draw what there is something to draw of."""
    charts = {}
    if any(frame["outline"] for frame in metrics["frames"]) or any(lot["window"] for lot in metrics["lots"]):
        charts["gains"] = mosaics.gains(metrics)
    if metrics["photometry"]["pairs"]:
        charts["overlaps"] = mosaics.overlaps(metrics)
    for key, text in _BY_FRAME.items():
        if any(mosaics.is_known(frame[key]) for frame in metrics["frames"]):
            in_unit = f", {metrics['unit']}" if metrics["unit"] else ""
            charts[key] = mosaics.by_frame(metrics, key, text.format(in_unit=in_unit))
    return charts


def _worst(metrics: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Give the overlaps that agree worst, the worst first."""
    pairs = metrics["photometry"]["pairs"]
    return sorted(pairs, key=lambda pair: (-abs(pair["sigma"] or 0.0), pair["a"], pair["b"]))[:_PAIRS_SHOWN]
