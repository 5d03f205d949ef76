"""What `inject` tells of a case, in plain JSON values: the keys of the first injectors, and more."""

import hashlib
import json
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from lostlight import __version__
from lostlight.science.inject.planting import Planted
from lostlight.science.inject.rules import InjectionRules
from lostlight.science.inject.seeds import record
from lostlight.vocab import bits

SCHEMA = "injection/1"


def describe(planted: Planted, sources: Table, images: Table, patch: NDArray[Any], has_sigma: bool) -> dict[str, Any]:
    """Describe one case.

    Parameters
    ----------
    planted : Planted
        Of one source.
    sources, images : Table
        Its truth.
    patch : (T, H, W)
        Images without it.
    has_sigma : bool
        Whether the noise was given.

    Returns
    -------
    dict
        Strings, numbers, booleans, lists and None; None where a number does not apply.
    """
    rules, epochs, source = planted.rules, planted.epochs, sources[0]
    meta = {
        "schema_version": SCHEMA,
        "sample_type": str(source["sample_type"]),
        "subclass": str(source["subclass"]),
        "label": int(planted.sources.label[0]),
        "seed": rules.seed,
        "rng": record(rules.seed, "inject", 0),
        "plate_scale_arcsec_per_px": rules.plate_scale,
        "n_frames": len(epochs),
        "patch_shape": list(epochs.shape),
        "timestamps_hours": epochs.days * 24,
        "target_strategy": rules.target.strategy,
        "sigma_calibrated": has_sigma,
        "flux_definition": "total",
        "brightness_mode": rules.brightness.mode,
        "motion_frame": "sky" if planted.sources.on_sky else "pixel",
        "motion_model": rules.motion,
        "psf": [psf.record() for psf in epochs.psfs],
        "prior_extra": {name: source[name] for name in _PRIOR},
        "code_version": __version__,
        "config_hash": _hash(repr(_facts(rules)).encode()),
        "input_hashes": {"patch_stack": _hash(np.ascontiguousarray(patch).tobytes())},
    }
    told: dict[str, Any] = plain(meta | _of_source(planted, sources) | _of_images(planted, images))
    return told


_PRIOR = ("a_au", "ecc", "inc_deg", "node_deg", "peri_deg", "anomaly_deg", "h_mag", "lc_amp_mag", "lc_period_h")


def _of_source(planted: Planted, sources: Table) -> dict[str, Any]:
    source, drawn = sources[0], planted.sources.numbers
    told = {name: source[name] for name in ("pa_deg", "r_helio_au", "delta_au", "elong_deg", "phase_deg", "snr_stack")}
    return {
        **told,
        "flux_peak": planted.light.columns["brightness"][0] if _in_noise(planted) else source["flux_adu"],
        "flux_adu": source["flux_adu"],
        "motion_ra_arcsec_per_hour": drawn["rate_ra_arcsec_h"][0],
        "motion_dec_arcsec_per_hour": drawn["rate_dec_arcsec_h"][0],
        "weight": source["weight"],
        "acceptance": source["acceptance"],
    }


def _in_noise(planted: Planted) -> bool:
    return planted.rules.brightness.mode == "legacy_total"


def _of_images(planted: Planted, images: Table) -> dict[str, Any]:
    x, y = images["x_px"], images["y_px"]
    height, width = planted.epochs.shape
    inside = (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)
    return {
        "start_x_px": x[0],
        "start_y_px": y[0],
        "trajectory_x": x,
        "trajectory_y": y,
        "frames_in_patch": int(np.sum(inside)),
        "mjd_mid": images["mjd_mid"],
        "snr_frame": images["snr_frame"],
        "n_eff": images["n_eff_px"],
        "trail_len_px": images["trail_px"],
        "mag": images["mag"],
        "flux_expected": images["flux_expected_adu"],
        "flux_realised": images["flux_realised_adu"],
        "frac_flux_masked": images["frac_masked"],
        "visible": planted.visible[0],
        "flags": [bits.names(int(value), bits.INJECTION) for value in images["inj_flags"]],
    }


def _facts(rules: InjectionRules) -> list[tuple[str, Any]]:
    return sorted(
        (name, value if not isinstance(value, dict) else sorted(value.items())) for name, value in vars(rules).items()
    )


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def plain(value: Any) -> Any:
    """Turn arrays and numbers of NumPy into lists and numbers of Python; NaN and infinity into None."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    json.dumps(value)
    return value
