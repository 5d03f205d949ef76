"""How noisy the frames of a master are: by gain and read noise, and by what differences of frames say of both."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lostlight.core.params.calibrate import CameraParams
from lostlight.science.calibrate.frame import Frame
from lostlight.science.calibrate.frame_checks import read_noise_from_pairs
from lostlight.science.calibrate.trouble import Warn, warn
from lostlight.science.stack.rule import NoiseModel
from lostlight.steps.calibrating.choice import gain_of, read_noise_of
from lostlight.steps.calibrating.raw import Trimmed

_SAMPLE_PX = 1 << 20
_PAIRS = 4
_NO_SHOT_NOISE = 1e9
"""Electrons per count of a frame without light: so many that their own noise does not matter."""
_BRIGHT = 4.0
"""A pixel with so many times the variance of the others is no ordinary one."""
_TRUSTED = 1.5
"""A model that is wrong by more than this factor would reject what it must not, or nothing."""


@dataclass(frozen=True)
class Noise:
    """What is known of the noise: the model for rejection, and the camera's numbers for the header."""

    model: NoiseModel | None
    gain_e_adu: float
    rdnoise_e: float
    warnings: tuple[Warn, ...] = ()


def of_dark(name: str, frames: Sequence[Frame], trimmed: Trimmed, camera: CameraParams) -> Noise:
    """Measure the noise of biases and darks where they are dark: pixels that are brighter have shot noise as well.

    Differences of frames tell the noise of an ordinary pixel whatever the header says; for hot ones the gain must be
    known. A bias has no light: what its pixels differ by is fixed pattern.
    """
    gain = gain_of(frames, camera)
    parts = [_middle(trimmed, number) for number in range(min(len(frames), _PAIRS + 1))]
    if len(parts) < 2:
        rdnoise = read_noise_of(frames, camera)
        model = NoiseModel(rdnoise, gain) if np.isfinite([rdnoise, gain]).all() else None
        return Noise(model, gain, rdnoise)
    measured_adu = read_noise_from_pairs(parts)
    is_bias = frames[0].imagetyp == "bias"
    per_e = _NO_SHOT_NOISE if is_bias else gain
    pedestal = _pedestal(parts)
    quiet_adu = _without_shot_noise(parts, measured_adu, per_e, pedestal)
    model = NoiseModel(quiet_adu * per_e, per_e, pedestal) if np.isfinite([per_e, quiet_adu]).all() else None
    stated = read_noise_of(frames, camera)
    warnings = _compare(name, measured_adu * gain, stated) if is_bias else ()
    # darks hold the shot noise of their current too: better than not knowing, and a header knows better
    is_measured = camera.rdnoise_e is None and (is_bias or not np.isfinite(stated))
    rdnoise = measured_adu * gain if is_measured else stated
    return Noise(model if measured_adu > 0 else None, gain, rdnoise, warnings)


def of_flat(
    name: str,
    frames: Sequence[Frame],
    samples: Sequence[NDArray[np.float32]],
    levels_adu: Sequence[float],
    camera: CameraParams,
    rdnoise_e: float,
) -> Noise:
    """Take the noise of flats from the gain, or the gain from the noise, since photons make nearly all of it.

    Parameters
    ----------
    samples : sequence of ndarray, adu
        The same part of each of some frames, without pedestal.
    levels_adu : sequence of float
        Level of each of these frames.
    rdnoise_e : float
        Read noise as measured on biases, electrons; NaN if it was not.
    """
    gain, rdnoise = gain_of(frames, camera), read_noise_of(frames, camera, rdnoise_e)
    level = float(np.median(levels_adu))
    if len(samples) < 2 or level <= 0:
        return Noise(NoiseModel(rdnoise, gain) if np.isfinite([gain, rdnoise]).all() else None, gain, rdnoise)
    parts = [part * np.float32(level / own) for part, own in zip(samples, levels_adu, strict=True)]
    variance = read_noise_from_pairs(parts) ** 2
    # photons alone: the read noise of a flat at a third of saturation is lost in them
    measured = level / variance if variance > 0 else np.nan
    warnings: tuple[Warn, ...] = ()
    if np.isfinite(gain) and np.isfinite(measured) and not 1 / _TRUSTED**2 < gain / measured < _TRUSTED**2:
        said = f"a gain of {gain:.3g} e/adu is stated; the noise of the flats says {measured:.3g}, which is used"
        warnings = (warn("CAL209", name, said, float(np.sqrt(gain / measured))),)
        used = measured
    else:
        used = gain if np.isfinite(gain) else measured
    model = NoiseModel(rdnoise if np.isfinite(rdnoise) else 0.0, used) if np.isfinite(used) else None
    return Noise(model, gain, rdnoise, warnings)


def middle_rows(shape: tuple[int, int]) -> slice:
    """Rows about the middle that hold about a million pixels: enough for any noise, little to read."""
    n = min(max(_SAMPLE_PX // shape[1], 1), shape[0])
    return slice((shape[0] - n) // 2, (shape[0] - n) // 2 + n)


def _middle(trimmed: Trimmed, number: int) -> NDArray[np.float32]:
    rows = middle_rows(trimmed.shape)
    out = np.empty((rows.stop - rows.start, trimmed.shape[1]), np.float32)
    trimmed(number, rows.start, rows.stop, out)
    return out


def _pedestal(parts: Sequence[NDArray[np.float32]]) -> float:
    """Level up to which pixels count as ordinary: the fixed pattern of the bias is no light, and has no shot noise."""
    middle = np.nanmedian(parts[0])
    spread = 1.4826 * np.nanmedian(np.abs(parts[0] - middle))
    return float(np.median([np.nanmedian(part) for part in parts]) + spread)


def _without_shot_noise(
    parts: Sequence[NDArray[np.float32]], measured_adu: float, gain_e_adu: float, pedestal_adu: float
) -> float:
    """Take off the noise as measured, adu, the shot noise that the model will add above the pedestal."""
    shot_adu2 = np.maximum(np.mean(parts, axis=0) - pedestal_adu, 0) / gain_e_adu
    ordinary = shot_adu2 < _BRIGHT * measured_adu**2  # others are clipped from the differences
    mean_adu2 = float(np.mean(shot_adu2[ordinary])) if ordinary.any() else 0.0
    return float(np.sqrt(max(measured_adu**2 - mean_adu2, measured_adu**2 / _BRIGHT)))


def _compare(name: str, measured_e: float, stated_e: float) -> tuple[Warn, ...]:
    ratio = measured_e / stated_e if stated_e > 0 else np.nan
    if not np.isfinite(ratio) or abs(ratio - 1) <= 0.1:
        return ()
    said = f"a read noise of {stated_e:.3g} e is stated; differences of the frames say {measured_e:.3g}"
    return (warn("CAL209", name, said, ratio),)
