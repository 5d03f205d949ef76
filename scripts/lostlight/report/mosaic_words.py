"""What the page of a mosaic says in words: what its terms mean, and what to do next."""

from collections.abc import Mapping, Sequence
from typing import Any

from lostlight.report.calibration_words import number

GLOSSARY: dict[str, tuple[str, str]] = {
    "frame": ("frame", "One calibrated exposure. Every raw pixel of it is resampled once, straight onto the canvas."),
    "canvas": ("canvas", "The grid of pixels that all frames are brought to."),
    "lot": ("lot", "Frames that are combined first, by themselves; the lots are then combined. Every frame is in one."),
    "tile": ("tile", "A square of the canvas."),
    "gain": ("gain", "Factor that a frame or lot is multiplied by: 1.1 means that its stars came out a tenth too "
             "faint. From stars and structure in common, never from the level of the sky."),
    "offset": ("offset", "What is subtracted after the gain: the difference in sky."),
    "sky": ("sky coefficients", "Level of the sky of a frame against the reference, and its slopes in x and y from "
            "the middle of the canvas to its edge."),
    "reference": ("reference", "The frame whose level and scale the mosaic has. Another one would scale and shift "
                  "all of it, and change nothing else."),
    "sigma": ("σ", "Noise of a single pixel of a frame: one standard deviation."),
    "fwhm": ("FWHM", "Width of the stars at half their height, in pixels of the frame."),
    "elongation": ("elongation", "Length of the stars over their width: 1 is round."),
    "weight": ("weight", "How much a frame counts: by its noise, once its gain is applied."),
    "coverage": ("coverage", "Frames that contribute to a pixel (plane COV); of a lot, the part of the canvas it has."),
    "wht": ("weight map", "Inverse variance of every pixel (plane WHT): one over its square root is the noise."),
    "residual": ("overlap residual", "Median difference of two frames or lots where both have pixels, once levelled; "
                 "in σ of a single pixel. Below 0.1 no seam is seen."),
    "inter_tile": ("spread of the medians", "Standard deviation of the medians of lots or tiles. It falls when "
                   "levels are brought together, but real structure of the sky is part of it."),
    "rejection": ("rejection", "Leaving out samples of a pixel that do not fit the others: trails, cosmic rays."),
    "component": ("parts", "Frames tied together by overlaps. Parts that share no pixel get their relative level "
                  "from their darkest regions, which is a guess."),
    "zscale": ("stretch", "Values shown black and white are chosen by ZScale; bright ones are compressed by asinh."),
}  # fmt: skip
"""Terms of the page: key to name and meaning."""

STEPS = {
    "coverage cut": "pixels with too little weight or too few frames",
    "second pass": "lots levelled once more against the others",
    "ragged edges": "edges and islands that turning frames leave",
    "noisy borders": "outer rows and columns that are much noisier than the centre",
    "crop": "good pixels outside the rectangle that is kept",
}
"""Steps of the polish: name to what they take away or change."""

_MANY_FRAMES = 80
_SEAM_SIGMA = 0.1
_MEDIAN_SIGMA = 1.8
"""Error of the median difference of two frames, in σ of a pixel, times the root of the pixels: 1.25 √2."""
_CHANCE = 4.0
"""Overlaps are many: beyond so many errors no difference is chance."""
_REGISTERED = {
    "wcs": "Every frame came with a sky solution of its own.",
    "stars": "Frames were registered to each other by their stars.",
    "astrometry_net": "Frames were solved by astrometry.net.",
    "stars and wcs": "Frames without a sky solution were registered by their stars to those that have one.",
}


def channels(values: Sequence[float | None], digits: int = 4) -> str:
    """Write a number per channel: ``1.021``, or ``1.021 / 0.998 / 1.003``."""
    return " / ".join(number(value, digits) for value in values) or "—"


def factors(values: Sequence[float | None]) -> str:
    """Write gains, all with the same digits: ``1.0000 / 0.9981``."""
    return " / ".join("—" if value is None else f"{value:.4f}" for value in values) or "—"


def coefficients(values: Sequence[float | None]) -> str:
    """Write the coefficients of a sky: its level, then its slopes."""
    return ", ".join(number(value, 3) for value in values)


def registration(metrics: Mapping[str, Any]) -> str:
    """Say how the frames found their places, and how well they agree."""
    found = metrics["registration"]
    said = _REGISTERED.get(found["method"], f"Frames were registered by {found['method'].replace('_', ' ')}.")
    if found["median_px"] is None:
        return said
    scatter = "" if found["rms_px"] is None else f", {found['rms_px']:.2g} px rms"
    return f"{said} The same stars agree to {found['median_px']:.2g} px in the median{scatter}."


def combination(metrics: Mapping[str, Any]) -> str:
    """Say how samples became pixels."""
    how, weights = metrics["combine"], {"none": "all frames alike", "noise": "weights by inverse variance"}
    weighed = weights.get(how["weights"], "weights by inverse variance and sharpness")
    kept = "nothing rejected" if how["reject"] == "none" else f"{how['reject'].replace('_', ' ')} rejection"
    kernel = {"cubic": "a cubic spline", "lanczos3": "Lanczos of three lobes", "linear": "linear interpolation",
              "nearest": "the nearest pixel", "drizzle": "drizzle"}.get(how["kernel"], how["kernel"])  # fmt: skip
    return f"Resampled once, by {kernel}; {how['statistic']} of the samples, {weighed}, {kept}."


def what_next(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say what may be done next: a sentence, and the setting or command that does it."""
    lots = "lots" if metrics["mode"] == "sds" else ""
    quality = [frame for frame in metrics["frames"] if frame["status"] == "rejected"]
    offers = [
        (quality, "Look at the frames that were left out; wider limits take them in.", "mosaic.quality"),
        (_is_seamed(metrics), "Overlaps differ by more than chance and a tenth of σ: let the sky of a frame bend.",
         "mosaic.photometry.sky_order: 2"),
        (metrics["components"] > 1, "Parts share no pixel: a frame between them would tie their levels together.", ""),
        (lots, "Other lots: copy lots.csv, edit it, and name it.", "mosaic.plan"),
        (metrics["mode"] == "stack" and metrics["n_used"] > _MANY_FRAMES, "Many frames: in lots, a change redoes less.",
         "mosaic.mode: sds"),
        (metrics["canvas"]["is_sky"] and metrics["n_used"], "Search the mosaic for what vanished, as any plate.",
         "download.source: mosaic"),
        (not metrics["canvas"]["is_sky"], "The mosaic has no place on the sky: with astrometry.net installed it gets "
         "one, and can be searched.", "mosaic.registration.solve: auto"),
    ]  # fmt: skip
    return [(said, setting) for holds, said, setting in offers if holds]


def is_seam(pair: Mapping[str, Any]) -> bool:
    """Tell whether an overlap differs by more than the eye passes over, and than chance makes so few pixels differ."""
    if pair["sigma"] is None:
        return False
    chance = _MEDIAN_SIGMA / max(pair["pixels"], 1) ** 0.5
    return abs(pair["sigma"]) > max(_SEAM_SIGMA, _CHANCE * chance)


def _is_seamed(metrics: Mapping[str, Any]) -> bool:
    order = metrics["params"].get("photometry", {}).get("sky_order", 1)
    return order <= 1 and any(is_seam(pair) for pair in metrics["photometry"]["pairs"])
