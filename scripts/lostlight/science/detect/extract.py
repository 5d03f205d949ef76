"""Find the sources: connected pixels above the noise, taken apart where they blend."""

from typing import NamedTuple

import numpy as np
import sep

from lostlight.core.errors import BadImage
from lostlight.science.detect.background import Background
from lostlight.vocab.extraction import BLENDED, DEBLEND_OVERFLOW, TRUNCATED, Knobs

# The default filter of SExtractor, "default.conv": all-ground convolution mask with FWHM = 2 pixels.
KERNEL = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], dtype=np.float32)
# Pixels above the threshold that fit into the work space, and blends in one source: both only bound memory.
_PIXEL_STACK = 3_000_000
_BLEND_LIMIT = 20_000
_SEP_MERGED, _SEP_TRUNCATED, _SEP_OVERFLOW = 1, 2, 4


class Sources(NamedTuple):
    """Detected sources and the pixels that belong to them.

    ``rows`` is the structured array of SEP, one row a source; ``segmentation`` (ny, nx) int32 holds row number + 1.
    """

    rows: np.ndarray
    segmentation: np.ndarray


def find_sources(sky: Background, knobs: Knobs) -> Sources:
    """Find the sources of a background-subtracted image.

    Raises
    ------
    BadImage
        If more pixels stand above the threshold than a plate of stars can have.

    Notes
    -----
    Lutz's one-pass labelling and SExtractor's multi-threshold deblending (Bertin & Arnouts 1996) as implemented in SEP.
    """
    sep.set_extract_pixstack(min(_PIXEL_STACK, max(sky.subtracted.size, 1000)))
    sep.set_sub_object_limit(_BLEND_LIMIT)
    try:
        rows, segmentation = sep.extract(
            sky.subtracted,
            knobs.threshold_sigma * sky.rms_adu,
            mask=sky.blank,
            minarea=knobs.min_area_px,
            filter_kernel=KERNEL if knobs.filter else None,
            filter_type="conv",
            deblend_nthresh=knobs.deblend_levels,
            deblend_cont=knobs.deblend_contrast,
            clean=knobs.clean,
            clean_param=1.0,
            segmentation_map=True,
        )
    except Exception as error:
        if "buffer" not in str(error) and "overflow" not in str(error):
            raise
        raise BadImage(
            f"too much of the image stands above {knobs.threshold_sigma:g} sigma ({error})",
            hint="raise threshold_sigma, or check that the image is a plate of stars",
            threshold_sigma=knobs.threshold_sigma,
        ) from error
    return Sources(rows, segmentation)


def isophotal_flags(rows: np.ndarray) -> np.ndarray:
    """Translate SEP's extraction flags into SExtractor's: blended, truncated, deblending overflow; int16."""
    pairs = ((_SEP_MERGED, BLENDED), (_SEP_TRUNCATED, TRUNCATED), (_SEP_OVERFLOW, DEBLEND_OVERFLOW))
    return sum(np.where(rows["flag"] & ours, theirs, 0) for ours, theirs in pairs).astype(np.int16)
