"""Which rule combines the frames of a master, from what the configuration asks for and what is known of the camera."""

from collections.abc import Sequence
from statistics import median

import numpy as np

from lostlight.core.params.calibrate import CameraParams, StackParams
from lostlight.science.calibrate.frame import Frame
from lostlight.science.calibrate.trouble import Warn, refuse, warn
from lostlight.science.stack.average import median_excess
from lostlight.science.stack.expression import compile_expression
from lostlight.science.stack.rule import NoiseModel, Rule

ENOUGH_TO_CLIP = 5
"""Of fewer frames no outlier can be told by their own scatter."""


def gain_of(frames: Sequence[Frame], camera: CameraParams) -> float:
    """Electrons per count: that of the configuration, else the median of the headers, else NaN."""
    known = [frame.egain_e_adu for frame in frames if np.isfinite(frame.egain_e_adu) and frame.egain_e_adu > 0]
    return camera.egain_e_adu or (median(known) if known else np.nan)


def read_noise_of(frames: Sequence[Frame], camera: CameraParams, measured_e: float = np.nan) -> float:
    """Read noise, electrons: that of the configuration, else as measured, else the median of the headers, else NaN."""
    if camera.rdnoise_e is not None:
        return camera.rdnoise_e
    known = [frame.rdnoise_e for frame in frames if np.isfinite(frame.rdnoise_e)]
    return measured_e if np.isfinite(measured_e) else median(known) if known else np.nan


def rule_of(master: str, stack: StackParams, n_frames: int, noise: NoiseModel | None) -> tuple[Rule, list[Warn]]:
    """Settle what the configuration leaves open.

    The noise model decides where gain and read noise are known, because it tells an outlier even among three frames;
    else winsorized sigma clipping from five frames on, and the median of fewer.

    Raises
    ------
    LostlightError
        CAL109 if noise_model is asked for and the noise is not known, or minmax would leave nothing; CAL110 for an
        expression that cannot be used.
    """
    warnings = []
    reject, combine = stack.reject, stack.combine
    if reject == "noise_model" and noise is None:
        said = f"{master}: reject is noise_model, but gain or read noise is not known"
        raise refuse("CAL109", said, "give calibrate.camera.egain_e_adu and rdnoise_e, or choose winsorized")
    if reject == "auto":
        reject = "noise_model" if noise else "winsorized" if n_frames >= ENOUGH_TO_CLIP else "none"
        if reject == "none" and combine == "mean" and n_frames > 2:
            combine = "median"
        if noise is None:
            warnings.append(warn("CAL226", master, f"gain and read noise are not known: {reject}, {combine}"))
    if reject == "minmax" and stack.nlow + stack.nhigh >= n_frames:
        said = f"{master}: minmax drops {stack.nlow} + {stack.nhigh} of {n_frames} samples"
        raise refuse("CAL109", said, "lower nlow or nhigh, or take more frames")
    # the median that samples are compared with is noisy too, the more so the fewer they are: decision 10
    width = 4.0 * float(np.sqrt(1 + median_excess(n_frames) / (2 * n_frames))) if reject == "noise_model" else 3.0
    return Rule(
        combine=combine,
        reject=reject,
        low=stack.low or width,
        high=stack.high or width,
        iterations=stack.iterations,
        nlow=stack.nlow,
        nhigh=stack.nhigh,
        plow=stack.plow,
        phigh=stack.phigh,
        gesd_fraction=stack.gesd_fraction,
        gesd_alpha=stack.gesd_alpha,
        minkeep=stack.minkeep,
        fit=stack.linear_fit.fit,
        fit_scale=stack.linear_fit.scale,
        aawa_iterations=stack.aawa_iterations,
        noise=noise,
        expression=compile_expression(stack.expression) if reject == "expression" else None,
    ), warnings
