"""Step 01: one validated image per tile, from an archive, from own plates or from the simulated sky."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from astropy.io.fits import Header

from lostlight.core.errors import BadImage, ConfigError, Fact, UnitError, about
from lostlight.core.manifest import Manifest, products
from lostlight.core.params import DownloadParams
from lostlight.core.step import Outputs, Result, Unit, step
from lostlight.io import cache, dss, fits, http, planes, plates, tables
from lostlight.io.own_files import IMAGES, listed
from lostlight.science.plate.cutout import choose, cut
from lostlight.science.plate.validate import Asked, accept, reject
from lostlight.science.plate.wcs import pixel_scale_arcsec
from lostlight.science.sky.epoch import plate_epoch

_CHANGED = "the archive's answer differs from the one it gave before"
_MADE = ("frames", "mosaic")
"""Sources whose images are those that a step before made of own frames."""
_FACTS = ("ra_deg", "dec_deg", "width_arcmin", "height_arcmin", "plates")


def plan(manifests: Sequence[Manifest], params: DownloadParams) -> list[Unit]:
    """Plan one unit per row of the table of tiles, with the own plate that shows it where there are own plates."""
    _refuse_unusable(params)
    own = listed(Path(params.folder), IMAGES, "download.folder") if params.source == "folder" else []
    own += products(manifests, "image")
    by_name = {path.name: path for path in own}
    headers = plates.headers_of(own)
    units = []
    for row in (row for path in products(manifests, "tiles") for row in tables.read(path)):
        facts = {name: row[name].item() for name in _FACTS}
        plate = by_name.get(facts["plates"]) or choose(headers, facts["ra_deg"], facts["dec_deg"])
        units.append(Unit(str(row["tile_id"]), {"plate": plate} if plate else {}, facts))
    return units


@step(
    "01_download",
    after=("00_tiles",),
    may_follow=("11_calibrate", "12_mosaic"),
    makes={"image": "{unit}.fits"},
    params=DownloadParams,
    version=2,
    cites=("dss",),
    plan=plan,
)
def download(unit: Unit, params: DownloadParams, out: Outputs) -> Result:
    """Bring the image of one tile, and accept nothing but what was asked for."""
    asked = Asked(*(float(unit.facts[name]) for name in _FACTS[:4]))
    with about(unit["plate"].name if "plate" in unit else ""):
        bring = _own if params.source in ("folder", *_MADE) else _cutout
        data, header, warnings = bring(unit, params, asked)
        metrics = _metrics(data, header)
    fits.write_image(out["image"], data, header)
    out.sizes["image"] = list(data.shape)
    return Result(metrics, warnings=warnings)


def _cutout(unit: Unit, params: DownloadParams, asked: Asked) -> tuple[np.ndarray, Header, list[str]]:
    archive, url = params.source, params.url
    if params.source == "sky":
        archive, url = "stsci", params.url or f"{http.SKY}{params.sky_seed}"
    check = _check(unit.id, params.survey, asked)
    answer = dss.cutout(archive, *asked, survey=params.survey, url=url, policy=http.Policy.of(params), check=check)
    return *check(answer.content), [_CHANGED] if answer.is_changed else []


def _own(unit: Unit, params: DownloadParams, asked: Asked) -> tuple[np.ndarray, Header, list[str]]:
    if "plate" not in unit:
        where = f"RA {asked.ra_deg:.4f} Dec {asked.dec_deg:+.4f}"
        raise reject(BadImage, "WRONG_FIELD", f"no plate in download.folder shows {where}", "add the plate that does")
    if params.source in _MADE:
        return *planes.usable(unit["plate"]), []
    content = fits.read_bytes(unit["plate"])
    data, header = accept(content, params.survey)
    n_images = fits.count_images(content)
    warnings = [f"of the {n_images} images in {unit['plate'].name} only the first is searched"] if n_images > 1 else []
    is_whole = unit["plate"].name == unit.facts["plates"]
    return *((data, header) if is_whole else cut(data, header, asked)), warnings


def _check(name: str, survey: str, asked: Asked) -> Callable[[bytes], tuple[np.ndarray, Header]]:
    def check(content: bytes) -> tuple[np.ndarray, Header]:
        try:
            return accept(content, survey, asked)
        except UnitError as error:
            evidence = cache.keep_rejected(name, str(error.facts["reason"]), content, error.facts)
            hint = f"{error.hint}; what came is kept in the cache folder as {evidence}"
            raise type(error)(error.message, hint=hint, **{**error.facts, "evidence": evidence}) from error

    return check


def _refuse_unusable(params: DownloadParams) -> None:
    if params.source == "folder" and not params.folder:
        raise ConfigError("download.source = folder, but download.folder is empty", hint="name a file or folder there")
    if params.source == "skyview" and not params.allow_resampled:
        raise ConfigError(
            "download.source = skyview gives resampled pixels, unfit for photometry",
            hint="choose stsci, or set `download.allow_resampled: true`",
        )


def _metrics(data: np.ndarray, header: Header) -> dict[str, Fact]:
    epoch = plate_epoch(header)
    exposure_min = 2 * epoch.half_exposure_min
    return {
        "plate_id": str(header.get("REGION", "")).strip(),
        "scale_arcsec_px": round(pixel_scale_arcsec(header), 4),
        "epoch_yr": round(epoch.year, 5),
        "exposure_min": exposure_min if np.isfinite(exposure_min) else None,
        "nx": data.shape[1],
        "ny": data.shape[0],
    }
