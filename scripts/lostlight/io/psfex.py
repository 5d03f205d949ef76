"""PSFEx: run the program, and read and write the ``.psf`` files it shares with source-extractor."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from lostlight.core.errors import BadCatalogue, BadPSF, ToolFailed
from lostlight.io import tools
from lostlight.io.fits import write_hdus

NEEDED_COLUMNS = (
    "X_IMAGE", "Y_IMAGE", "FLUX_RADIUS", "SNR_WIN", "FLUX_APER", "FLUXERR_APER", "ELONGATION", "FLAGS", "VIGNET",
)  # fmt: skip
"""Without one of these PSFEx ends with an error, or with a segmentation fault."""

_VARIABILITY = 0.2  # PSFEx's SAMPLE_VARIABILITY: sizes of the stars of one tile differ this much
_SENTINEL = 1e29  # SExtractor writes 1e30 for numbers it could not measure


@dataclass(frozen=True)
class Settings:
    """What differs from tile to tile: degree and size of the model, and limits of the stars used."""

    degree: int
    size_px: int
    min_snr: float
    max_ellipticity: float
    fwhm_range_px: tuple[float, float]
    max_stars: int = 300

    def options(self) -> list[str]:
        """Give them as PSFEx's options."""
        words = {
            "PSFVAR_DEGREES": f"{self.degree}",
            "PSF_SIZE": f"{self.size_px},{self.size_px}",
            "SAMPLE_MINSN": f"{self.min_snr:g}",
            "SAMPLE_MAXELLIP": f"{self.max_ellipticity:g}",
            "SAMPLE_FWHMRANGE": f"{self.fwhm_range_px[0]:.6g},{self.fwhm_range_px[1]:.6g}",
        }
        return [word for name, value in words.items() for word in (f"-{name}", value)]


@dataclass(frozen=True)
class Stars:
    """What PSFEx says of the stars it considered; positions are zero-based, arrays of shape (n,)."""

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    chi2: NDArray[np.float64]
    is_used: NDArray[np.bool_]


def read_model(path: Path) -> dict[str, Any]:
    """Read a ``.psf`` file into the fields of a `PsfModel`: ``PsfModel(**read_model(path))``.

    Positions in the file count pixels from one; the fields count from zero. The images are float32 of shape
    (n_terms, ny, nx).

    Raises
    ------
    BadPSF
        If it is not a PSFEx model in x and y.
    """
    try:
        with fits.open(path, memmap=False) as hdus:
            header, data = hdus["PSF_DATA"].header, hdus["PSF_DATA"].data
            degree = int(header["POLDEG1"]) if header["POLNAXIS"] else 0
            fields = {
                "basis": np.ascontiguousarray(data["PSF_MASK"][0], dtype=np.float32),
                "step_px": float(header["PSF_SAMP"]),
                "x_zero_px": float(header.get("POLZERO1", 1)) - 1,
                "y_zero_px": float(header.get("POLZERO2", 1)) - 1,
                "x_scale_px": float(header.get("POLSCAL1", 1)),
                "y_scale_px": float(header.get("POLSCAL2", 1)),
                "degree": degree,
                "fwhm_px": float(header["PSF_FWHM"]),
                "n_loaded": int(header["LOADED"]),
                "n_accepted": int(header["ACCEPTED"]),
                "chi2": float(header["CHI2"]),
            }
            names = [header[f"POLNAME{axis + 1}"] for axis in range(header["POLNAXIS"])]
    except (OSError, KeyError, IndexError, ValueError) as error:
        raise BadPSF(f"{path.name} is not a PSF model: {error}", hint="make it again", file=path.name) from error
    if names not in ([], ["X_IMAGE", "Y_IMAGE"]) or fields["basis"].shape[0] != (degree + 1) * (degree + 2) // 2:
        raise BadPSF(
            f"{path.name} varies with {', '.join(names)} in {len(fields['basis'])} terms, not with x and y alone",
            hint="set PSFVAR_KEYS X_IMAGE,Y_IMAGE and PSFVAR_GROUPS 1,1",
            file=path.name,
        )
    return fields


def write_model(path: Path, fields: Mapping[str, Any]) -> None:
    """Write the fields of a `PsfModel` as a ``.psf`` file that source-extractor reads; see `read_model`."""
    basis = np.asarray(fields["basis"], dtype=np.float32)
    shape = basis.shape[::-1]
    column = fits.Column(
        "PSF_MASK", format=f"{basis.size}E", dim=str(shape).replace(" ", ""), array=basis.reshape(1, -1)
    )
    hdu = fits.BinTableHDU.from_columns([column], name="PSF_DATA")
    cards: dict[str, Any] = {
        "LOADED": fields["n_loaded"],
        "ACCEPTED": fields["n_accepted"],
        "CHI2": fields["chi2"],
        "POLNAXIS": 2,
    }
    for number, axis in enumerate("xy", start=1):
        cards[f"POLGRP{number}"] = 1
        cards[f"POLNAME{number}"] = f"{axis.upper()}_IMAGE"
        cards[f"POLZERO{number}"] = fields[f"{axis}_zero_px"] + 1
        cards[f"POLSCAL{number}"] = fields[f"{axis}_scale_px"]
    cards |= {"POLNGRP": 1, "POLDEG1": fields["degree"], "PSF_FWHM": fields["fwhm_px"], "PSF_SAMP": fields["step_px"]}
    cards |= {"PSFNAXIS": 3} | {f"PSFAXIS{number}": size for number, size in enumerate(shape, start=1)}
    hdu.header.update(cards)
    write_hdus(path, fits.HDUList([fits.PrimaryHDU(), hdu]))


def run(catalogue: Path, model: Path, settings: Settings, is_masked: NDArray[np.bool_], timeout_s: float) -> Stars:
    """Model the PSF of the stars in a catalogue of source-extractor.

    Rows with unmeasured values (1e30) stretch PSFEx's polynomial scale until the model is meaningless, so they are left
    out, and with them the rows on masked pixels. Its time grows with the number of stars, its model hardly improves
    beyond a few hundred, so of more only as many as `settings` say are handed over.

    Parameters
    ----------
    catalogue : Path
        FITS_LDAC with stamps.
    model : Path
        The ``.psf`` file to write.
    settings : Settings
        What ``config/psfex/tile.psfex`` leaves open.
    is_masked : (ny, nx) bool
        Pixels not to trust.
    timeout_s : float

    Returns
    -------
    Stars
        Stars considered by PSFEx.

    Raises
    ------
    BadCatalogue
        If columns are missing.
    ToolMissing, ToolFailed, ToolTimeout
        If PSFEx is not there, ends badly, or writes nothing.
    """
    with TemporaryDirectory() as folder:
        work = Path(folder)
        _write_cleaned(catalogue, work / "stars.cat", is_masked, settings)
        args = ["stars.cat", "-c", tools.config_file("psfex/tile.psfex"), "-OUTCAT_NAME", "used.cat", "-PSF_DIR", "."]
        tools.run("psfex", [*args, *settings.options()], work, timeout_s)
        if not (work / "stars.psf").exists():
            raise ToolFailed("psfex ended well but wrote no model", hint="check the installation", program="psfex")
        write_model(model, read_model(work / "stars.psf"))
        return _read_stars(work / "used.cat")


def _thinned(rows: fits.FITS_rec, settings: Settings) -> fits.FITS_rec:
    """Keep at most ``settings.max_stars`` of the rows PSFEx would take for stars, evenly over the ranks of flux."""
    stars = _eligible(rows, settings)
    if len(stars) <= settings.max_stars:
        return rows
    ranked = stars[np.argsort(-np.reshape(rows["FLUX_APER"], (len(rows), -1))[stars, 0], kind="stable")]
    places = np.linspace(0, len(ranked) - 1, settings.max_stars).round().astype(np.int64)
    return rows[np.sort(ranked[places])]


def _eligible(rows: fits.FITS_rec, settings: Settings) -> NDArray[np.int64]:
    """Number the rows within PSFEx's limits whose size is the commonest.

    To thin before that choice would move it: saturated stars leave too few of the bright ones, and the faint and
    narrow would win.
    """
    width_px = 2 * rows["FLUX_RADIUS"]
    low, high = settings.fwhm_range_px
    ellipticity = (rows["ELONGATION"] - 1) / (rows["ELONGATION"] + 1)
    within = (rows["SNR_WIN"] >= settings.min_snr) & (ellipticity <= settings.max_ellipticity) & (rows["FLAGS"] <= 1)
    stars = np.flatnonzero(within & (width_px >= low) & (width_px <= high))
    widths = np.sort(width_px[stars])
    if not len(widths):
        return stars
    n_alike = np.searchsorted(widths, widths * (1 + _VARIABILITY), side="right") - np.arange(len(widths))
    narrowest = widths[np.argmax(n_alike)]
    return stars[(width_px[stars] >= narrowest) & (width_px[stars] <= narrowest * (1 + _VARIABILITY))]


def _write_cleaned(catalogue: Path, path: Path, is_masked: NDArray[np.bool_], settings: Settings) -> None:
    with fits.open(catalogue, memmap=False) as hdus:
        rows = hdus["LDAC_OBJECTS"].data
        missing = [name for name in NEEDED_COLUMNS if name not in rows.names]
        if missing:
            raise BadCatalogue(
                f"{catalogue.name} lacks {', '.join(missing)}, which PSFEx needs",
                hint="add them to the parameter file of the first pass",
                file=catalogue.name,
            )
        keep = ~_on(is_masked, rows["X_IMAGE"] - 1, rows["Y_IMAGE"] - 1)
        for name in NEEDED_COLUMNS[:-1]:
            values = np.reshape(rows[name], (len(rows), -1))
            keep &= np.all(np.isfinite(values) & (np.abs(values) < _SENTINEL), axis=1)
        chosen = _thinned(rows[keep], settings)
        cleaned = fits.BinTableHDU(chosen, header=hdus["LDAC_OBJECTS"].header, name="LDAC_OBJECTS")
        fits.HDUList([hdus[0], hdus["LDAC_IMHEAD"], cleaned]).writeto(path)


def _on(is_masked: NDArray[np.bool_], x_px: NDArray[np.floating], y_px: NDArray[np.floating]) -> NDArray[np.bool_]:
    ny, nx = is_masked.shape
    x, y = (np.clip(np.nan_to_num(value), 0, size - 1) for value, size in ((x_px, nx), (y_px, ny)))
    return is_masked[np.rint(y).astype(int), np.rint(x).astype(int)]


def _read_stars(path: Path) -> Stars:
    if not path.exists():
        return Stars(*(np.empty(0, dtype=kind) for kind in (float, float, float, bool)))
    with fits.open(path, memmap=False) as hdus:
        rows = hdus["PSF_CATALOG" if "PSF_CATALOG" in hdus else "LDAC_OBJECTS"].data
        return Stars(
            x_px=rows["X_IMAGE"].astype(float) - 1,
            y_px=rows["Y_IMAGE"].astype(float) - 1,
            chi2=np.where(rows["CHI2_PSF"] > 0, rows["CHI2_PSF"].astype(float), np.nan),
            is_used=rows["FLAGS_PSF"] == 0,
        )
