"""Which pictures the page of calibration shows of a product, and under which names."""

import base64
import io
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray
from PIL import Image

from lostlight.report.figures import overlay, preview
from lostlight.vocab.bits import DQ

PICTURE_PX = 900
"""Longest side of a picture on the page."""
LIGHTS_SHOWN = 6
"""Lights that have pictures on the page; all have a row in its table."""
JPEG_QUALITY = 80


def draw(
    record: Mapping[str, Any],
    data: NDArray,
    dq: NDArray | None = None,
    extra: Mapping[str, NDArray] | None = None,
    before: NDArray | None = None,
    max_px: int = PICTURE_PX,
) -> dict[str, bytes]:
    """Draw all pictures of one product.

    Parameters
    ----------
    record : mapping
        Its diagnostics, the content of ``{unit}.json``.
    data : ndarray, shape (ny, nx) or (3, ny, nx)
        Pixels; of a map of bad pixels its bits.
    dq : ndarray, shape (ny, nx), uint16, optional
        Quality bits.
    extra : mapping of str to ndarray, optional
        REJLOW and REJHIGH of a master.
    before : ndarray, shape (ny, nx), optional
        The raw light, trimmed, in the unit of `data`.
    max_px : int
        Longest side of the pictures.

    Returns
    -------
    dict of str to bytes
        PNG files: ``<id>``, and where there is something to show ``<id>.rejected``, ``<id>.flat``, ``<id>.dq``,
        ``<id>.before`` and ``<id>.after``.
    """
    name, extra = record["id"], extra or {}
    values = {bit.name: bit.value for bit in DQ}
    if record["kind"] == "bpm":
        return {name: overlay.dq_overlay(None, data.astype("uint16"), values, max_px)}
    drawn: dict[str, bytes] = {}
    if before is None:
        drawn[name] = preview.preview(data, dq, max_px)
    else:
        drawn[f"{name}.before"], drawn[f"{name}.after"] = preview.before_after(before, data, dq, max_px)
    if "REJLOW" in extra and "REJHIGH" in extra:
        drawn[f"{name}.rejected"] = overlay.rejection_map(extra["REJLOW"], extra["REJHIGH"], max_px)
    if record["flat"] is not None:
        flat = record["flat"]
        drawn[f"{name}.flat"] = overlay.flat_overlay(data, flat["tiles"], flat["tile_px"], flat["dust"], max_px)
    if record["kind"] == "light" and dq is not None and dq.any():
        drawn[f"{name}.dq"] = overlay.dq_overlay(data, dq, values, max_px)
    return drawn


def address(png: bytes, *, lossless: bool = False) -> str:
    """Give a picture as an address that holds it: as JPEG where that is smaller, as it is with the noise of a frame.

    What is transparent in places becomes WebP, because JPEG has no transparency; of a map nothing may be lost.
    """
    buffer, picture = io.BytesIO(), Image.open(io.BytesIO(png))
    if picture.mode in ("LA", "RGBA"):
        kind = "webp"
        picture.convert("RGBA").save(buffer, format="WEBP", quality=JPEG_QUALITY, lossless=lossless)
    else:
        kind = "jpeg"
        # single coloured pixels would lose their colour to subsampling
        picture.save(buffer, format="JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True)
    kind, content = min((kind, buffer.getvalue()), ("png", png), key=lambda each: len(each[1]))
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
