"""Profiles of a point that PSFEx made."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lostlight.core.errors import BadPSF, ConfigError
from lostlight.core.params import InjectParams
from lostlight.core.step import Unit
from lostlight.io import psf_files
from lostlight.io.epoch_files import EpochFile, Image
from lostlight.science.detect.psf_model import PsfModel
from lostlight.science.inject.psf import sampled

ROLE, MISSING = "psf", "psf missing"


def models(images: Mapping[str, EpochFile], params: InjectParams) -> dict[str, Path | str]:
    """Find the model of each image, or say why there is none; empty where profiles are measured.

    Raises
    ------
    ConfigError
        If no folder of models is named.
    """
    if params.psf.model != "psfex":
        return {}
    folder = Path(params.psf.files)
    if not params.psf.files or not folder.is_dir():
        raise ConfigError(
            f"inject.psf.model is psfex, but psf.files names {params.psf.files!r}", hint="name the folder of the models"
        )
    return {name: _found(folder, image.paths["science"]) for name, image in images.items()}


def from_file(unit: Unit, image: Image, params: InjectParams) -> dict[str, Any]:
    """Give what is known of the profile of an image by its model, in its middle; nothing where that is measured.

    Raises
    ------
    BadPSF
        If there is no model of it, or it cannot be read.
    """
    if params.psf.model != "psfex":
        return {}
    if ROLE not in unit:
        raise BadPSF(str(unit.facts[MISSING]), hint="name models as the images, or set psf.model: moffat")
    model = PsfModel(**psf_files.read(unit[ROLE], str(image.header.get("EXTNAME", "")).strip()))
    ny, nx = image.science.shape
    profile = sampled(model.at((nx - 1) / 2, (ny - 1) / 2)[0], model.step_px)
    return {
        "psf": profile.record(), "fwhm_px": profile.fwhm_px, "n_stars": model.n_accepted, "psf_source": "psfex",
        "psf_flags": [], "psf_rms": model.chi2**0.5,
    }  # fmt: skip


def _found(folder: Path, image: Path) -> Path | str:
    try:
        return psf_files.found(folder, image)
    except BadPSF as error:
        return error.message
