"""Reading the products of a run for the report, one tile at a time."""

from functools import cached_property
from pathlib import Path

import numpy as np
from astropy.table import Table

from lostlight.io import fits, tables
from lostlight.report.figures.stamps import Plate, SkyWcs, Stamp, stamp
from lostlight.report.gather import Run
from lostlight.report.tally import Tally

CATALOGS = ("usnob", "gaia", "ps1", "own")


class Census:
    """Counts the detections of a run, tile by tile."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.tally = Tally()
        self.counts: dict[str, tuple[int, int]] = {}

    @cached_property
    def flags(self) -> dict[str, Path]:
        """Tile to its table of flagged detections."""
        return self.run.paths("08_filter", "flags")

    @cached_property
    def references(self) -> dict[str, dict[str, Path]]:
        """Catalogue to tile to its rows around the tile."""
        return {name: self.run.paths("06_reference", name) for name in CATALOGS}

    @cached_property
    def _matches(self) -> dict[str, Path]:
        return self.run.paths("07_xmatch", "matches")

    @cached_property
    def _match_metrics(self) -> dict[str, dict[str, object]]:
        return {unit.id: dict(unit.metrics) for unit in self.run.units("07_xmatch")}

    @cached_property
    def radius_arcsec(self) -> float:
        """Match radius, the median over the tiles."""
        radii = list(self.run.metrics("07_xmatch", "radius_arcsec").values())
        return float(np.median(radii)) if radii else 5.0

    def take(self, tile_id: str, table: Table, n_candidates: int) -> None:
        """Count one tile: its flagged detections, its matches and what of them is chance."""
        self.counts[tile_id] = (len(table), n_candidates)
        self.tally.add(table)
        metrics = self._match_metrics.get(tile_id, {})
        radius = float(metrics.get("radius_arcsec") or self.radius_arcsec)
        for name in CATALOGS:
            if (chance := metrics.get(f"chance_fraction_{name}")) is not None and np.isfinite(chance):
                self.tally.add_chance(len(table), float(chance), radius)
        if tile_id in self._matches:
            self._take_matches(tile_id, tables.read(self._matches[tile_id]))

    def _take_matches(self, tile_id: str, matches: Table) -> None:
        self.tally.separations.add(np.asarray(matches["separation_arcsec"], float))
        for name in CATALOGS:
            chosen = matches[np.asarray(matches["catalog"]) == name]
            path = self.references[name].get(tile_id)
            if path and len(chosen):
                self.tally.add_residuals(*_offsets_arcsec(chosen, tables.read(path)))

    def stamps(self, candidates: Table, side_arcmin: float, sky_wcs: SkyWcs) -> list[Stamp]:
        """Cut the candidates out of their plates, each plate read once; in the order of the candidates."""
        images = self.run.paths("01_download", "image")
        found: dict[int, Stamp] = {}
        tiles = np.asarray(candidates["tile_id"], str)
        for tile_id in sorted(set(tiles.tolist()) & set(images)):
            plate = Plate(*fits.read_image(images[tile_id]), sky_wcs)
            places = [
                tables.read(paths[tile_id])["ra_deg", "dec_deg"]
                for paths in self.references.values()
                if tile_id in paths
            ]
            known = np.concatenate([np.c_[table["ra_deg"], table["dec_deg"]] for table in places] or [np.empty((0, 2))])
            for row in np.flatnonzero(tiles == tile_id):
                near = _near(known, candidates["ra_deg"][row], candidates["dec_deg"][row], side_arcmin / 60)
                found[int(row)] = stamp(plate, candidates[row], known[near], side_arcmin, self.radius_arcsec)
        return [found[row] for row in sorted(found)]


def _offsets_arcsec(matches: Table, reference: Table) -> tuple[np.ndarray, np.ndarray]:
    """East and north offsets, detection minus catalogue, of matches found again by the catalogue's identifiers."""
    ids = np.asarray(reference["ref_id"], str)
    order = np.argsort(ids, kind="stable")
    wanted = np.asarray(matches["ref_id"], str)
    place = order[np.clip(np.searchsorted(ids, wanted, sorter=order), 0, len(ids) - 1)]
    known = ids[place] == wanted
    rows, chosen = reference[place[known]], matches[known]
    d_ra = (np.asarray(chosen["ra_deg"]) - np.asarray(rows["ra_deg"]) + 180) % 360 - 180
    north = np.asarray(chosen["dec_deg"]) - np.asarray(rows["dec_deg"])
    return d_ra * np.cos(np.radians(np.asarray(chosen["dec_deg"]))) * 3600, north * 3600


def _near(known_deg: np.ndarray, ra_deg: float, dec_deg: float, radius_deg: float) -> np.ndarray:
    d_ra = (known_deg[:, 0] - ra_deg + 180) % 360 - 180
    return np.hypot(d_ra * np.cos(np.radians(dec_deg)), known_deg[:, 1] - dec_deg) < radius_deg
