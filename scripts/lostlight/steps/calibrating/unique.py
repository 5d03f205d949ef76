"""Each frame once, and under a name of its own."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from astropy.io.fits import Header

from lostlight.core import atomic
from lostlight.science.calibrate.frame import Frame

RESERVED = frozenset({"plan", "calibration"})
"""Units of step 11 that are no frames."""


def once(
    folder: Path, read: Sequence[tuple[Frame, Header]]
) -> tuple[list[tuple[Frame, Header]], list[tuple[str, str]]]:
    """Leave out every second copy of a file; files are hashed only where size and header are the same.

    Returns
    -------
    kept : list of (Frame, Header)
        In the order of their paths; `sha256` is known of those that had to be compared.
    copies : list of (str, str)
        Path of each copy, and of the file it is a copy of.
    """
    alike: dict[tuple[object, ...], list[tuple[Frame, Header]]] = {}
    for frame, header in read:
        size = (folder / frame.path).stat().st_size
        said = tuple((card.keyword, str(card.value)) for card in header.cards)
        alike.setdefault((size, frame.hdu, said), []).append((frame, header))
    kept: list[tuple[Frame, Header]] = []
    copies: list[tuple[str, str]] = []
    for group in alike.values():
        first: dict[str, str] = {}
        for frame, header in group:
            sha256 = atomic.sha256_file(folder / frame.path) if len(group) > 1 else ""
            if sha256 in first:
                copies.append((frame.path, first[sha256]))
                continue
            first[sha256] = frame.path
            kept.append((replace(frame, sha256=sha256 or frame.sha256), header))
    return sorted(kept, key=lambda pair: (pair[0].path, pair[0].hdu)), copies


def named(frames: Sequence[Frame]) -> tuple[Frame, ...]:
    """Make frame_ids unique, on file systems without case too: those that clash get a piece of a hash of their path."""
    times = Counter(frame.frame_id.casefold() for frame in frames)

    def name(frame: Frame) -> str:
        if times[frame.frame_id.casefold()] == 1 and frame.frame_id.casefold() not in RESERVED:
            return frame.frame_id
        return f"{frame.frame_id}_{hashlib.sha256(f'{frame.path}#{frame.hdu}'.encode()).hexdigest()[:6]}"

    return tuple(replace(frame, frame_id=name(frame)) for frame in frames)
