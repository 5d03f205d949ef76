"""How wide a source is: the full width at half maximum of its bright core."""

import numpy as np

_FWHM_OF_SLOPE = 1.6651  # 2 sqrt(ln 2)


def core_fwhm(
    subtracted: np.ndarray,
    segmentation: np.ndarray,
    rows: np.ndarray,
    saturation_adu: np.ndarray,
) -> np.ndarray:
    """Measure the FWHM of every source from the slope of log intensity against squared radius.

    Parameters
    ----------
    subtracted : ndarray, shape (ny, nx), float32, adu
        Image without background.
    segmentation : ndarray, shape (ny, nx), int32
        Row number + 1 of the source a pixel belongs to.
    rows : structured ndarray, shape (n,)
        With fields x, y, a, b (pixels), peak, thresh (adu).
    saturation_adu : ndarray, shape (n,), adu
        Saturation level above the background at each source; pixels above it are left out.

    Returns
    -------
    ndarray, shape (n,), float32, pixels; NaN where no line can be fitted.

    Notes
    -----
    FWHM_IMAGE of SExtractor: a straight line, weighted by intensity squared, through the pixels above a fifth of the
    peak and above the threshold; 1 / (4 FWHM) is taken off for undersampling.
    """
    n = len(rows)
    y, x = np.nonzero(segmentation)
    owner = segmentation[y, x] - 1
    value = subtracted[y, x].astype(float)
    used = (value > np.maximum(rows["peak"] / 5, rows["thresh"])[owner]) & (value < saturation_adu[owner])
    y, x, owner, value = y[used], x[used], owner[used], value[used]
    r2 = (x - rows["x"][owner]) ** 2 + (y - rows["y"][owner]) ** 2
    weight, log_value = value**2, np.log(value)

    def total(quantity: np.ndarray) -> np.ndarray:
        return np.bincount(owner, quantity, n)

    s, sx, sy = total(weight), total(weight * r2), total(weight * log_value)
    sxx, sxy = total(weight * r2**2), total(weight * r2 * log_value)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = -(s * sxy - sx * sy) / (s * sxx - sx**2)
        # A slope flatter than this would make the FWHM wider than about six rms radii.
        slope = np.maximum(slope, 1 / (13 * rows["a"] * rows["b"]))
        fwhm = _FWHM_OF_SLOPE / np.sqrt(slope)
        fwhm -= 1 / (4 * fwhm)
    return np.where(np.isfinite(fwhm), fwhm, np.nan).astype(np.float32)
