"""The sky coordinates of an image whose pixels are twice as large, as superpixels are."""

import re

from astropy.io.fits import Header

_REFERENCE = re.compile(r"CRPIX[12][A-Z]?")
_STEP = re.compile(r"(CD[12]_[12]|CDELT[12])[A-Z]?")
_DISTORTION = re.compile(r"[AB]P?_(\d)_(\d)")
_SIZES = ("XPIXSZ", "YPIXSZ", "XBINNING", "YBINNING", "PIXSCALE", "SECPIX")
"""Cards that count the size of a pixel."""


def halved(header: Header) -> Header:
    """Give a header whose sky coordinates hold for pixels of 2 x 2 old ones.

    The first new pixel covers the first two old ones in each direction, so that x' = (x - 1/2) / 2 + 1/2, counted from
    one. Steps on the sky double. A distortion polynomial (SIP, Shupe et al. 2005) gives offsets in pixels of offsets in
    pixels: its coefficient of u^p v^q is multiplied by 2^(p + q - 1). Everything else stays.

    Parameters
    ----------
    header : Header
        Header of the mosaic, after trimming.

    Returns
    -------
    Header
        A copy.
    """
    new = header.copy()
    for name, value in [(card.keyword, card.value) for card in header.cards]:
        if not isinstance(value, int | float):
            continue
        if _REFERENCE.fullmatch(name):
            new[name] = (value - 0.5) / 2 + 0.5
        elif _STEP.fullmatch(name) or name in _SIZES:
            new[name] = 2 * value
        elif powers := _DISTORTION.fullmatch(name):
            new[name] = value * 2.0 ** (int(powers[1]) + int(powers[2]) - 1)
    return new
