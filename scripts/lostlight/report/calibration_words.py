"""What the page of calibration says in words: how a product was made, and what its terms mean."""

from collections.abc import Mapping
from typing import Any

GLOSSARY: dict[str, tuple[str, str]] = {
    "master": ("master", "Raw frames of a kind combined to one, with less noise by the root of their number."),
    "bias": ("bias", "A frame without exposure: the electronic zero of every pixel."),
    "dark": ("dark", "A frame with the shutter closed: what heat alone makes in the time of a light."),
    "flat": ("flat", "A frame of an evenly lit surface: how sensitive every pixel is, with vignetting and dust."),
    "flat_dark": ("flat dark", "A dark with the exposure of the flats."),
    "light": ("light", "A frame of the sky."),
    "adu": ("adu", "Counts as the camera digitises them; gain says how many electrons one stands for."),
    "rejection": ("rejection", "Leaving out samples of a pixel that do not fit the others, such as cosmic rays."),
    "sigma": ("σ", "One standard deviation: two thirds of all values lie within it."),
    "mad": ("MAD", "Median absolute deviation, which outliers do not change: 1.48 of it are one σ."),
    "noise": ("noise", "Standard deviation from pixel to neighbouring pixel: no gradients, no stars."),
    "noise_model": ("noise model", "Width that gain and read noise predict for a sample: read noise and photon noise."),
    "ratio": ("model over scatter", "Predicted uncertainty over that of the frames; 1 where gain and noise are right."),
    "k": ("k", "Factor that the dark is multiplied by before it is subtracted, for another exposure or temperature."),
    "dq": ("quality bits", "What is known of a pixel, in plane DQ: hot, cold, saturated, hit by a cosmic ray …"),
    "hot": ("hot pixel", "A pixel with far more dark current than its neighbours."),
    "cold": ("cold pixel", "A pixel far less sensitive than its neighbours."),
    "vignetting": ("vignetting", "Corners get less light than the centre."),
    "tilt": ("tilt", "The illumination changes from one side of the frame to the other."),
    "slope": ("flat residual", "How the background of a light still follows its flat: 0 is right, above it vignetting "
              "is left, below it is turned over."),
    "distance": ("distance", "How far the settings of a master are from those of a frame: 1 for 1 °C, 2 % of exposure, "
                 "or 180 days (7 for flats). Up to 3 is good, up to 6 usable."),
    "zscale": ("stretch", "Values shown black and white are chosen by ZScale; bright ones are compressed by asinh."),
}  # fmt: skip
"""Terms of the page: key to name and meaning."""

_REJECT = {
    "none": "nothing rejected",
    "minmax": "the {nlow} lowest and {nhigh} highest samples dropped",
    "percentile": "samples more than {plow:.0%} below or {phigh:.0%} above the median rejected",
    "sigma": "samples beyond {bounds} standard deviations rejected",
    "sigma_once": "samples beyond {bounds} standard deviations rejected, in one pass",
    "kappa": "samples beyond {bounds} standard deviations of the mean rejected",
    "kappa_median": "samples beyond {bounds} standard deviations replaced by the median",
    "mad": "samples beyond {bounds} scaled MAD rejected",
    "winsorized": "samples beyond {bounds} winsorized standard deviations rejected",
    "linear_fit": "samples beyond {bounds} widths of a fitted line rejected",
    "gesd": "outliers rejected by the generalised ESD test at {gesd_alpha:g}",
    "noise_model": "samples beyond {bounds} times the noise that gain and read noise predict rejected",
    "avsigclip": "samples beyond {bounds} averaged sigma rejected",
    "expression": "samples rejected where {expression}",
}
_UNITS = {"s": "s", "c": "°C", "adu": "adu", "e": "e", "px": "px", "deg": "°"}
_FACTS = {
    "exptime_s": "exposure, s",
    "ccd_temp_c": "temperature of the sensor, °C",
    "gain_e_adu": "gain, electrons per adu",
    "rdnoise_e": "read noise, electrons",
    "gain_setting": "gain as set",
    "offset": "offset as set",
    "overscan_adu": "overscan, mean, adu",
    "noise_adu": "read noise, adu",
    "date_obs_utc": "began, UTC",
    "low": "threshold below",
    "high": "threshold above",
    "reject": "rejection",
    "combine": "combination",
    "normalize": "scaled to",
    "stages": "what was done",
    "weight": "weight of the master over its model",
    "exposures_s": "exposures, s",
}
_WEIGHTS = {
    "noise": "weights by inverse variance",
    "exposure": "weights by exposure time",
    "entropy": "weights by entropy",
    "user": "weights of the user's own",
}


def method(record: Mapping[str, Any]) -> str:
    """Say how a master was combined: "Mean of 20 frames; samples beyond 4 times … rejected"."""
    settings = {"low": 3.0, "high": 3.0, **{key: value for key, value in record["method"].items() if value is not None}}
    n = len(record["inputs"])
    parts = []
    if n:
        how = {"aawa": "auto-adaptive weighted average"}.get(
            str(settings.get("combine", "")), settings.get("combine", "")
        )
        parts.append(f"{str(how).capitalize() or 'Combination'} of {n} {'frame' if n == 1 else 'frames'}")
    reject = str(settings.get("reject", ""))
    if reject in _REJECT:
        parts.append(_filled(_REJECT[reject], settings))
    if settings.get("weights") in _WEIGHTS:
        parts.append(_WEIGHTS[settings["weights"]])
    return "; ".join(parts) + "." if parts else ""


def number(value: float | None, digits: int = 4) -> str:
    """Write a number for people: a dash where it is not known, and no exponent up to ten million."""
    if value is None:
        return "—"
    if value == int(value) and abs(value) < 1e7:
        return f"{int(value):,}"
    if 1000 <= abs(value) < 1e7:
        return f"{value:,.1f}"
    return f"{value:.{digits}g}"


def label(key: str) -> str:
    """Turn the name of a fact into words, its unit at the end: ``exptime_s`` is "exposure, s"."""
    if key in _FACTS:
        return _FACTS[key]
    stem, _, unit = key.rpartition("_")
    if stem and unit in _UNITS:
        return f"{stem.replace('_', ' ')}, {_UNITS[unit]}"
    return key.replace("_", " ")


def is_scaled(scale: Mapping[str, Any] | None) -> bool:
    """Tell whether a dark was multiplied by anything but one."""
    return bool(scale) and scale["factor"] is not None and (scale["factor"] != 1 or bool(scale["error"]))


def role(name: str) -> str:
    """Name what a master is to a light."""
    return {"bpm": "bad pixels"}.get(name, name.replace("_", " "))


def percent(value: float | None) -> str:
    """Write a fraction in percent; small ones with the digits that tell them from zero."""
    if value is None:
        return "—"
    share = 100 * value
    if share == 0 or abs(share) >= 10:
        return f"{share:.0f} %"
    return f"{share:.1f} %" if abs(share) >= 1 else f"{share:.2g} %"


def _filled(text: str, settings: Mapping[str, Any]) -> str:
    low, high = (f"{settings[name]:.3g}" for name in ("low", "high"))
    bounds = low if low == high else f"{low} (below) and {high} (above)"
    try:
        return text.format(bounds=bounds, **settings)
    except KeyError:
        return str(settings["reject"]).replace("_", " ") + " rejection"
