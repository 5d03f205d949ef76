"""STILTS as the matcher: many groups of positions in one start of the program."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from lostlight.core.errors import ToolFailed
from lostlight.io import tools

HEAP_MB = 384
"""Java heap; with the machine itself a start stays below 0.6 GB."""

MAX_ROWS = 800_000
"""Rows of both sides handed to one start; more are split between groups."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """Positions to be matched among themselves only: detections and catalogue rows in degrees, checked and finite."""

    ra_deg: Floats
    dec_deg: Floats
    ra_catalog_deg: Floats
    dec_catalog_deg: Floats
    radius_arcsec: float


Match = tuple[NDArray[np.int64], Floats]


def match_groups(groups: Sequence[Group], timeout_s: float) -> list[Match]:
    """Find the nearest catalogue row of every detection, each group for itself, by ``tmatch2 matcher=sky+exact``.

    The number of the group is the exact second key, so one start of the program serves a whole slice of tiles.
    ``find=best1 join=all1`` keeps every detection, with its own best row or none. STILTS takes ``params`` in arcsec,
    always; one start has one radius, so groups are taken together radius by radius.

    Parameters
    ----------
    groups : sequence of Group
        What to match with what.
    timeout_s : float
        Longest run of one start.

    Returns
    -------
    list of (index, separation_arcsec)
        One pair for each group: row of the nearest catalogue position (int64, -1 for none) and its separation (float64,
        NaN for none), in the order of the detections.

    Raises
    ------
    ToolMissing, ToolTimeout, ToolFailed
        If the program is not there, does not end, ends badly or loses rows.
    """
    matches: list[Match] = [(np.full(len(g.ra_deg), -1), np.full(len(g.ra_deg), np.nan)) for g in groups]
    for batch in _batches(groups):
        for number, match in zip(batch, _run([groups[k] for k in batch], timeout_s), strict=True):
            matches[number] = match
    return matches


def _batches(groups: Sequence[Group]) -> list[list[int]]:
    """Split the numbers of the groups with something to match by radius and into portions of bounded size."""
    batches: list[list[int]] = []
    rows, radius = 0, None
    busy = [k for k, group in enumerate(groups) if len(group.ra_deg) and len(group.ra_catalog_deg)]
    for number in sorted(busy, key=lambda k: groups[k].radius_arcsec):
        group = groups[number]
        size = len(group.ra_deg) + len(group.ra_catalog_deg)
        if not batches or rows + size > MAX_ROWS or group.radius_arcsec != radius:
            batches.append([])
            rows, radius = 0, group.radius_arcsec
        batches[-1].append(number)
        rows += size
    return batches


def _run(groups: Sequence[Group], timeout_s: float) -> list[Match]:
    with tempfile.TemporaryDirectory(prefix="lostlight-stilts-") as name:
        folder = Path(name)
        _write(folder / "detections.fits", [(g.ra_deg, g.dec_deg) for g in groups])
        _write(folder / "catalogue.fits", [(g.ra_catalog_deg, g.dec_catalog_deg) for g in groups])
        heap = [f"-Xmx{HEAP_MB}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Djava.io.tmpdir={folder}"]
        arguments = [
            "tmatch2", "matcher=sky+exact", f"params={groups[0].radius_arcsec!r}", "join=all1", "find=best1",
            "in1=detections.fits", "ifmt1=fits", "values1=ra dec group", "suffix1=_1",
            "in2=catalogue.fits", "ifmt2=fits", "values2=ra dec group", "suffix2=_2", "fixcols=all",
            "progress=none", "runner=sequential",
            # with two keys the matcher's own score is a fraction of the radius
            "ocmd=addcol arcsec '3600*skyDistanceDegrees(ra_1,dec_1,ra_2,dec_2)'; keepcols 'row_1 row_2 arcsec'",
            "out=matched.fits", "ofmt=fits-basic",
        ]  # fmt: skip
        said = tools.run("stilts", [*heap, *arguments], cwd=folder, timeout_s=timeout_s)
        return _read(
            folder / "matched.fits",
            [len(g.ra_deg) for g in groups],
            [len(g.ra_catalog_deg) for g in groups],
            said.stderr,
        )


def _write(path: Path, positions: Sequence[tuple[Floats, Floats]]) -> None:
    lengths = [len(ra) for ra, _ in positions]
    table = np.rec.fromarrays(
        [
            np.concatenate([ra for ra, _ in positions]).astype(">f8"),
            np.concatenate([dec for _, dec in positions]).astype(">f8"),
            np.repeat(np.arange(len(positions)), lengths).astype(">i4"),
            np.arange(sum(lengths)).astype(">i4"),
        ],
        names=["ra", "dec", "group", "row"],
    )
    hdu = fits.BinTableHDU(table)
    hdu.columns["ra"].unit = hdu.columns["dec"].unit = "deg"
    hdu.writeto(path)


def _read(path: Path, n_detections: Sequence[int], n_rows: Sequence[int], said: str) -> list[Match]:
    if not path.is_file():
        raise ToolFailed(
            f"stilts ended well but wrote no match: {said.strip()[-200:] or 'without a word'}",
            hint="run the step with `engine: embedded`, and check the installation of stilts", program="stilts",
        )  # fmt: skip
    with fits.open(path, memmap=False) as hdus:
        data = hdus[1].data
        detection = np.asarray(data["row_1"], np.int64)
        separation = np.asarray(data["arcsec"], float)
        found = np.isfinite(separation)
        # where there is no partner the integer is a filler
        row = np.where(found, np.asarray(data["row_2"], np.int64), -1)
    total = sum(n_detections)
    if len(detection) != total or not np.array_equal(np.sort(detection), np.arange(total)):
        raise ToolFailed(
            f"stilts was given {total} detections and returned {len(detection)} rows, or some of them twice",
            hint="run the step with `engine: embedded`", program="stilts", given=total, returned=len(detection),
        )  # fmt: skip
    order = np.argsort(detection)
    row, separation = row[order], separation[order]
    first_detection, first_row = np.cumsum([0, *n_detections]), np.cumsum([0, *n_rows])
    matches = []
    for k in range(len(n_detections)):
        part = slice(first_detection[k], first_detection[k + 1])
        local = np.where(row[part] >= 0, row[part] - first_row[k], -1)
        matches.append((local, separation[part]))
    return matches
