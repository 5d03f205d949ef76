"""A small run on disk, as steps 00 to 08 would have left it: four tiles, of which one failed and one was skipped."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from astropy.io.fits import Header
from astropy.table import Table
from astropy.wcs import WCS

from lostlight.core import atomic
from lostlight.core.manifest import Failure, Manifest, Parent, Product, UnitRecord
from lostlight.core.params import PipelineConfig
from lostlight.io import fits, tables
from lostlight.vocab import bits, columns

SHAPE = (181, 203)
N_STARS = 160
N_VANISHED = 3
SCALE_ARCSEC = 1.7
STEPS = ("01_download", "02_masks", "03_detect", "04_psf", "05_measure", "06_reference", "07_xmatch", "08_filter")
CITES = {
    "03_detect": ("sextractor",),
    "04_psf": ("psfex",),
    "06_reference": ("usnob", "vizier"),
    "01_download": ("dss",),
}
FAILED, SKIPPED = "tile_RA150.900_DECp20.000", "tile_RA151.200_DECp20.000"
GOOD = ("tile_RA150.000_DECp20.000", "tile_RA150.100_DECp20.000")


def header(ra_deg: float, dec_deg: float) -> Header:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ra_deg, dec_deg]
    wcs.wcs.crpix = [SHAPE[1] / 2 + 0.5, SHAPE[0] / 2 + 0.5]
    angle = np.radians(4)
    wcs.wcs.cd = SCALE_ARCSEC / 3600 * np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    wcs.wcs.radesys = "ICRS"
    return wcs.to_header()


class SmallRun:
    """Builds a run folder; what is in it follows from `seed` alone."""

    def __init__(
        self,
        folder: Path,
        n_vanished: int = N_VANISHED,
        twin: bool = True,
        hint: str = "ask for another survey",
        seed: int = 1,
    ) -> None:
        self.folder, self.n_vanished, self.hint = folder, n_vanished, hint
        self.rng = np.random.default_rng(seed)
        self.params = PipelineConfig()
        self.sources = {tile: self._sources(tile) for tile in GOOD}
        self._build(folder, "01_download")
        if twin:
            self._build(folder / "planted", "01_plant")

    @property
    def manifests(self) -> dict[str, Path]:
        paths = {path.parent.name: path for path in sorted(self.folder.glob("0*/manifest.json"))}
        for path in sorted((self.folder / "planted").glob("0*/manifest.json")):
            step = "01_plant" if path.parent.name == "01_download" else path.parent.name
            paths[f"{step}@planted"] = path
        return paths

    def _sources(self, tile: str) -> Table:
        ny, nx = SHAPE
        x = self.rng.uniform(8, nx - 8, N_STARS)
        y = self.rng.uniform(8, ny - 8, N_STARS)
        wcs = WCS(header(float(tile[7:14]), 20.0))
        ra, dec = wcs.all_pix2world(x, y, 0)
        mag = self.rng.uniform(9, 14.5, N_STARS)
        snr = 10 ** ((16.6 - mag) / 2.5)
        return Table({"x": x, "y": y, "ra": ra, "dec": dec, "mag": mag, "snr": snr})

    def _image(self, tile: str) -> np.ndarray:
        yy, xx = np.indices(SHAPE)
        image = np.random.default_rng(5).normal(3880, 170, SHAPE)
        for star in self.sources[tile]:
            peak = 170 * star["snr"] / 3
            image += peak * np.exp(-((xx - star["x"]) ** 2 + (yy - star["y"]) ** 2) / (2 * 1.3**2))
        return np.clip(image, 0, 15500).astype(np.float32)

    def _flagged(self, tile: str) -> Table:
        found, n = self.sources[tile], N_STARS
        made = {
            name: np.zeros(n, dtype=columns.COLUMNS[name].dtype)
            for name in columns.FLAGGED
            if columns.COLUMNS[name].dtype != "str"
        }
        table = Table(made)
        table["tile_id"], table["plate_id"] = tile, "XE309"
        table["src_id"] = [f"{tile}:{number}" for number in range(1, n + 1)]
        table["object_id"] = np.arange(1, n + 1)
        for name, source in (
            ("x_px", "x"),
            ("y_px", "y"),
            ("ra_deg", "ra"),
            ("dec_deg", "dec"),
            ("mag_auto", "mag"),
            ("snr_win", "snr"),
        ):
            table[name] = found[source]
        table["ra_plate_deg"], table["dec_plate_deg"] = found["ra"], found["dec"] - 0.4 / 3600
        table["fwhm_px"] = self.rng.normal(2.9, 0.15, n) + 0.6 * np.hypot(
            found["x"] / 203 - 0.5, found["y"] / 181 - 0.5
        )
        table["elongation"] = 1.05
        table["separation_arcsec"] = np.abs(self.rng.normal(0, 0.6, n))
        flags = np.full(n, bits.filters("MATCHED"))
        flags[20:40] = bits.filters("SNR")
        flags[40:48] = bits.filters("MATCHED", "EXTRACTION", "ELONGATION")
        flags[48:50] = bits.filters("LOCUS")
        flags[: self.n_vanished] = 0
        table["separation_arcsec"][(flags & 1) == 0] = np.nan
        table["flags"] = flags.astype("i4")
        table["n_plates"] = 1
        table["reason"] = [
            " ".join(bits.names(int(value), bits.FILTER)) or "no counterpart within 5 arcsec" for value in flags
        ]
        return table

    def _reference(self, tile: str) -> Table:
        found = self.sources[tile][20:]
        n = len(found)
        table = Table(
            {
                name: np.zeros(n, dtype=columns.COLUMNS[name].dtype)
                for name in columns.USNOB
                if columns.COLUMNS[name].dtype != "str"
            }
        )
        table["ref_id"] = [f"1099-{number:07d}" for number in range(n)]
        table["ra_deg"] = found["ra"] + self.rng.normal(0, 0.5, n) / 3600
        table["dec_deg"] = found["dec"] + self.rng.normal(0, 0.5, n) / 3600
        table["mag_ref"] = found["mag"] + 4
        return table

    def _planted(self, tile: str) -> Table:
        rng = np.random.default_rng(9)
        mag = np.sort(rng.uniform(10, 15, 80))
        xy = rng.uniform(10, 170, (2, 80))
        ra, dec = WCS(header(float(tile[7:14]), 20.0)).all_pix2world(*xy, 0)
        return Table(
            {
                "plant_id": [f"{tile}+{number:04d}" for number in range(80)],
                "tile_id": [tile] * 80,
                "x_px": xy[0],
                "y_px": xy[1],
                "ra_deg": ra,
                "dec_deg": dec,
                "mag_true": mag.astype("f4"),
                "snr_true": (10 ** ((16.6 - mag) / 2.5)).astype("f4"),
            }
        )

    def _twin_flags(self, tile: str) -> Table:
        table, planted = self._flagged(tile), self._planted(tile)
        table = table[:80]
        for name in ("ra_deg", "dec_deg", "x_px", "y_px"):
            table[name] = planted[name]
        table["flags"] = np.where(planted["mag_true"] < 12.5, 0, bits.filters("SNR")).astype("i4")
        return table[planted["mag_true"] < 13.5]

    def _write(self, step: str, tile: str, products: Path, planting: bool) -> dict[str, Path]:
        made: dict[str, Path] = {}
        if step in ("01_download", "01_plant"):
            made["image"] = products / f"{tile}.fits"
            fits.write_image(made["image"], self._image(tile), header(float(tile[7:14]), 20.0))
        if step == "01_plant":
            made["planted"] = products / f"{tile}.planted.fits"
            tables.write(self._planted(tile), made["planted"], columns.PLANTED)
        if step == "06_reference":
            made["usnob"] = products / f"{tile}.usnob.fits"
            tables.write(self._reference(tile), made["usnob"], columns.USNOB)
        if step == "07_xmatch":
            made["matches"] = products / f"{tile}.matches.fits"
            tables.write(self._matches(tile), made["matches"], columns.MATCHES)
        if step == "08_filter":
            made["flags"] = products / f"{tile}.flags.fits"
            table = self._twin_flags(tile) if planting else self._flagged(tile)
            tables.write(table, made["flags"], columns.FLAGGED)
        return made

    def _matches(self, tile: str) -> Table:
        found, reference = self._flagged(tile)[20:], self._reference(tile)
        table = found["src_id", "object_id", "ra_deg", "dec_deg", "separation_arcsec"]
        table["separation_arcsec"] = np.abs(self.rng.normal(0, 0.6, len(table)))
        table["catalog"], table["ref_id"], table["radius_arcsec"] = "usnob", reference["ref_id"], 5.0
        table["is_second_epoch"], table["mag_ref"] = True, reference["mag_ref"]
        return table

    def _build(self, folder: Path, first: str) -> None:
        planting = first == "01_plant"
        parents = [] if planting else [self._tiles(folder)]
        for step in STEPS:
            step_id = first if step == "01_download" else step
            parents = [self._step(folder, step, step_id, parents, planting)]

    def _tiles(self, folder: Path) -> Path:
        ids = [*GOOD, FAILED, SKIPPED]
        table = Table({name: np.zeros(len(ids)) for name in columns.TILES if columns.COLUMNS[name].dtype != "str"})
        table["tile_id"], table["plates"] = ids, "XE309"
        table["ra_deg"], table["dec_deg"] = [float(tile[7:14]) for tile in ids], 20.0
        half_ra, half_dec = 0.048 / np.cos(np.radians(20)), 0.043
        for corner, (east, north) in enumerate(((1, -1), (1, 1), (-1, 1), (-1, -1)), start=1):
            table[f"ra{corner}_deg"] = table["ra_deg"] + east * half_ra
            table[f"dec{corner}_deg"] = table["dec_deg"] + north * half_dec
        path = folder / "00_tiles" / "products" / "tiles.fits"
        tables.write(table, path, columns.TILES)
        unit = UnitRecord(id="run", status="ok", outputs={"tiles": _product(path, folder)}, metrics={"n_tiles": 4})
        return self._manifest(folder, "00_tiles", "00_tiles", [unit], [])

    def _step(self, folder: Path, name: str, step_id: str, parents: list[Path], planting: bool) -> Path:
        products = folder / name / "products"
        units = []
        for tile in GOOD:
            made = self._write(step_id, tile, products, planting)
            outputs = {role: _product(path, folder) for role, path in made.items()}
            units.append(UnitRecord(id=tile, status="ok", outputs=outputs, metrics=_metrics(step_id)))
        units.append(
            _broken(
                FAILED, name, "01_download", "WrongSurvey", "SURVEY is 'POSSII-F', not POSSI-E", self.hint, planting
            )
        )
        units.append(
            _broken(
                SKIPPED, name, "04_psf", "BadPSF", "3 stars accepted <b>of 30</b>", "widen psf.fwhm_range_px", planting
            )
        )
        return self._manifest(folder, name, step_id, units, parents)

    def _manifest(self, folder: Path, name: str, step_id: str, units: list[UnitRecord], parents: list[Path]) -> Path:
        word = "completeness" if step_id == "01_plant" else step_id[3:]
        made = Manifest(
            run_id=self.folder.name,
            step=step_id,
            step_version=1,
            status="ok",
            software={
                "lostlight": "0.1.0",
                "numpy": "2.4.0",
                **({"source-extractor": "2.25.0"} if step_id == "03_detect" else {}),
            },
            params=getattr(self.params, word).model_dump(mode="json"),
            parents=tuple(
                Parent(step=p.parent.name, path=p.relative_to(folder).as_posix(), sha256=atomic.sha256_file(p))
                for p in parents
            ),
            counts={status: sum(unit.status == status for unit in units) for status in ("ok", "skipped", "failed")},
            cites=CITES.get(step_id, ()),
            units=tuple(sorted(units, key=lambda unit: unit.id)),
        )
        path = folder / name / "manifest.json"
        atomic.write_json(path, made.dump())
        return path


def _metrics(step_id: str) -> Mapping[str, float]:
    return {
        "07_xmatch": {"chance_fraction_usnob": 0.04, "radius_arcsec": 5.0, "n_ties": 110, "scatter_ra_arcsec": 0.5},
        "04_psf": {"fwhm_px": 2.9},
    }.get(step_id, {})


def _broken(tile: str, name: str, at: str, kind: str, message: str, hint: str, planting: bool) -> UnitRecord:
    if planting:
        return UnitRecord(id=tile, status="skipped", warnings=("upstream: failed",))
    if name < at:
        return UnitRecord(id=tile, status="ok")
    if name == at:
        return UnitRecord(id=tile, status="failed", failure=Failure(type=kind, message=message, hint=hint))
    return UnitRecord(id=tile, status="skipped", warnings=(f"upstream: {at} failed",))


def _product(path: Path, folder: Path) -> Product:
    return Product(
        path=path.relative_to(folder).as_posix(),
        sha256=atomic.sha256_file(path),
        bytes=path.stat().st_size,
        format="fits",
    )
