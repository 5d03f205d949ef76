"""The plain chain that people run today, with the same programs: SExtractor, PSFEx, SExtractor with SPREAD_MODEL,
and three starts of STILTS per tile."""

import tempfile
from pathlib import Path

from benches.measure import cost
from lostlight.core.manifest import Manifest
from lostlight.io import tables, tools

_P1 = "X_IMAGE Y_IMAGE FLUX_RADIUS SNR_WIN FLUX_APER(1) FLUXERR_APER(1) ELONGATION FLAGS VIGNET(35,35)"
_P2 = (
    "NUMBER X_IMAGE Y_IMAGE XWIN_IMAGE YWIN_IMAGE XMIN_IMAGE XMAX_IMAGE YMIN_IMAGE YMAX_IMAGE ELONGATION FWHM_IMAGE "
    "FLUX_RADIUS MAG_AUTO MAGERR_AUTO SNR_WIN FLAGS MAG_PSF MAGERR_PSF CHI2_PSF SPREAD_MODEL SPREADERR_MODEL"
)
_EXTRACT = [
    "-DETECT_MINAREA",
    "5",
    "-DETECT_THRESH",
    "5",
    "-ANALYSIS_THRESH",
    "5",
    "-FILTER",
    "N",
    "-SATUR_LEVEL",
    "50000",
    "-GAIN",
    "1000",
    "-PHOT_APERTURES",
    "5",
    "-CATALOG_TYPE",
    "FITS_LDAC",
    "-VERBOSE_TYPE",
    "QUIET",
]
_PSFEX = [
    "-PSF_SIZE",
    "25,25",
    "-PSFVAR_DEGREES",
    "2",
    "-SAMPLE_FWHMRANGE",
    "2,10",
    "-CHECKPLOT_DEV",
    "NULL",
    "-CHECKPLOT_TYPE",
    "NONE",
    "-CHECKIMAGE_TYPE",
    "NONE",
    "-WRITE_XML",
    "N",
    "-NTHREADS",
    "1",
    "-VERBOSE_TYPE",
    "QUIET",
]


def naive_chain(run: Path, downloaded: Manifest) -> float:
    """CPU seconds of the plain chain on the first tile of a run."""
    unit = next(iter(downloaded.ok()))
    image = downloaded.product(unit, "image").resolve()
    detections = tables.read(run / f"07_xmatch/products/{unit.id}.detections.fits")
    catalogue = tables.read(run / f"06_reference/products/{unit.id}.usnob.fits")
    with tempfile.TemporaryDirectory() as scratch, cost() as used:
        folder = Path(scratch)
        _extract(image, folder, "p1", _P1, ())
        tools.run("psfex", ["p1.cat", *_PSFEX], folder, 600)
        _extract(image, folder, "p2", _P2, ("-PSF_NAME", "p1.psf"))
        for name, table in (("dets.csv", detections), ("cat.csv", catalogue)):
            table["ra_deg", "dec_deg"].write(folder / name, format="ascii.csv")
        for join in ("1and2", "1not2", "2not1"):
            _match(folder, join)
    return used.cpu_s


def _extract(image: Path, folder: Path, name: str, columns: str, more: tuple[str, ...]) -> None:
    (folder / f"{name}.param").write_text("\n".join(columns.split()))
    where = ("-c", "/dev/null", "-PARAMETERS_NAME", f"{name}.param", "-CATALOG_NAME", f"{name}.cat")
    tools.run("source-extractor", [image, *where, *_EXTRACT, *more], folder, 1200)


def _match(folder: Path, join: str) -> None:
    files = ["ifmt1=csv", "ifmt2=csv", "in1=dets.csv", "in2=cat.csv", "ofmt=csv"]
    columns = ["ra1=ra_deg", "dec1=dec_deg", "ra2=ra_deg", "dec2=dec_deg"]
    tools.run("stilts", ["tskymatch2", *files, *columns, "error=5", f"join={join}", f"out={join}.csv"], folder, 600)
