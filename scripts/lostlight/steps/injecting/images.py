"""The images that stacks are made of: which fields there are, and the files of each."""

import json
import logging
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from astropy.io.fits import Header
from astropy.wcs import WCS

from lostlight.core.config import LIGHTS
from lostlight.core.errors import BadImage, ConfigError
from lostlight.core.manifest import Manifest, products
from lostlight.core.params import InjectParams
from lostlight.core.step import Unit
from lostlight.io import epoch_files, frame_list, mosaic_frames, stack_store
from lostlight.io.epoch_files import EpochFile, Image
from lostlight.science.motion.flat import flat_sky
from lostlight.steps.injecting import profiles

SIMULATED = re.compile(r"(camera|tiles|movers):\d+$")
_IMAGE, _STORE = "image: ", "store: "
_MIN_IMAGES = 3
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Field:
    """Images of one field, by name; `skies` holds the cards of a sky that step 12 found for them,
    `models` the profiles that PSFEx made, or why there is none.
    """

    id: str
    images: Mapping[str, EpochFile]
    skies: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, Path | str] = field(default_factory=dict)

    def inputs(self, *names: str) -> dict[str, Path]:
        """Give the files of some images, or of all, by their role."""
        return {
            role: path for name in names or self.images for role, path in _files_of(name, self.images[name]).items()
        }

    def told(self, *names: str) -> dict[str, str]:
        """Give what a unit must be told of some images, or of all, besides their files."""
        return {_IMAGE + name: self._told(name) for name in names or self.images}

    def _told(self, name: str) -> str:
        image = self.images[name]
        said = {"layout": image.layout, "number": image.number, "wcs": self.skies.get(name, "")}
        return json.dumps(said, sort_keys=True)


def fields(manifests: Sequence[Manifest], params: InjectParams) -> list[Field]:
    """List the fields: a folder of images is one, a folder of such folders one for each of them.

    Raises
    ------
    ConfigError
        If there are none, or too few images of one.
    """
    found = (
        _lights(manifests, params.plate_scale_arcsec)
        if params.images == LIGHTS
        else _given(params.images, params.n_images or None)
    )
    for each in found:
        if len(each.images) < _MIN_IMAGES:
            raise ConfigError(
                f"{each.id} has {len(each.images)} images; a search for motion needs {_MIN_IMAGES}",
                hint="inject.images names a folder of images of one field, or a folder of such folders",
                n_images=len(each.images),
            )
    return [replace(each, models=profiles.models(each.images, params)) for each in found]


def names(unit: Unit) -> list[str]:
    """Names of the images that a unit is told of."""
    return [role.removeprefix(_IMAGE) for role in unit.facts if role.startswith(_IMAGE)]


def read(unit: Unit, name: str, params: InjectParams) -> Image:
    """Read one image of a unit; raises as `epoch_files.read` does."""
    try:
        image = epoch_files.read(file_of(unit, name), params.planes)
    except BadImage as error:
        if "code" not in error.facts:
            raise
        # codes and their hints are those of calibration
        said = error.message.removeprefix(f"{error.facts['code']}: ")
        raise BadImage(said, hint="copy the file again, or leave it out") from error
    return image if image.wcs else replace(image, wcs=_told(unit, name)["wcs"])


def file_of(unit: Unit, name: str) -> EpochFile:
    """Give the files of one image of a unit."""
    start, told = f"{name}: ", _told(unit, name)
    paths = {role.removeprefix(start): path for role, path in unit.inputs.items() if role.startswith(start)}
    if not paths:
        paths = {"science": unit[f"{_STORE}zarr.json"].parent}
    return EpochFile(name, paths, told["layout"], told["number"])


def _told(unit: Unit, name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(str(unit.facts[_IMAGE + name]))
    return told


def _files_of(name: str, image: EpochFile) -> dict[str, Path]:
    """Give the files of an image by role; those of a store that is a folder belong to all images in it."""
    place = image.paths["science"]
    if not place.is_dir():
        return {f"{name}: {part}": path for part, path in image.paths.items()}
    return {
        f"{_STORE}{path.relative_to(place).as_posix()}": path for path in sorted(place.rglob("*")) if path.is_file()
    }


def _given(source: str, n_images: int | None) -> list[Field]:
    if not SIMULATED.match(source) and not Path(source).exists():
        raise ConfigError(
            f"inject.images names {source!r}, which does not exist" if source else "inject.images names no images",
            hint="name a folder of images of one field, a WorkUnit, or a store",
        )
    place = frame_list.resolve(source)
    if stack_store.is_store(place):
        return [_field("field", epoch_files.listed(place, n_images))]
    folders = [place]
    if place.is_dir() and not any(frame_list.is_frame(path.name) for path in place.iterdir()):
        folders = [path for path in sorted(place.iterdir()) if path.is_dir() and path.name[0] != "."] or [place]
    names = [_plain(frame_list.stem(folder.name) if folder.is_file() else folder.name) for folder in folders]
    single = len(folders) == 1
    return [
        _field("field" if single else name, epoch_files.listed(folder, n_images))
        for name, folder in zip(_distinct(names), folders, strict=True)
    ]


def _lights(manifests: Sequence[Manifest], plate_scale_arcsec: float) -> list[Field]:
    """Take the calibrated frames of the run, a field for each filter; step 12 tells where those without a sky lie."""
    placed = [json.loads(path.read_bytes())["frames"] for path in products(manifests, "canvas")]
    frames = {name: frame for canvas in placed for name, frame in canvas.items()}
    filters: dict[str, list[EpochFile]] = {}
    for name, path in sorted(_light_files(manifests).items()):
        if why := frames.get(name, {}).get("reason"):
            _log.warning("%s is left out: %s", name, why)
            continue
        image = EpochFile(name, {"science": path})
        filters.setdefault(epoch_files.filter_of(image), []).append(image)
    skies = {name: sky_of(frame["wcs"], plate_scale_arcsec) for name, frame in frames.items() if frame["wcs"]}
    return [
        _field(_plain(name) if name else "lights", some, skies)
        for name, some in filters.items()
        if len(some) >= _MIN_IMAGES
    ]


def _light_files(manifests: Sequence[Manifest]) -> dict[str, Path]:
    """Find the calibrated frames: those of step 11, or those that step 12 was given."""
    given = [str(manifest.params["frames"]) for manifest in manifests if manifest.params.get("frames")]
    made = [path for path in products(manifests, "image") if not path.name.startswith("mosaic")]
    if made:
        return {path.name.removesuffix(".fits"): path for path in made}
    return {name: path for source in given for name, path in mosaic_frames.listed(source)}


def sky_of(text: str, plate_scale_arcsec: float) -> str:
    """Give the cards of a sky: those given, or of a flat one where they only place images on each other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wcs = WCS(Header.fromstring(text, sep="\n"), naxis=2)
    if wcs.has_celestial:
        return text
    return str(flat_sky(wcs, plate_scale_arcsec).to_header().tostring(sep="\n", endcard=False, padding=False))


def _field(name: str, images: Sequence[EpochFile], skies: Mapping[str, str] | None = None) -> Field:
    names = _distinct([_plain(image.id) for image in images])
    known = {own: (skies or {}).get(image.id, "") for own, image in zip(names, images, strict=True)}
    return Field(name, dict(zip(names, images, strict=True)), known)


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", name).strip("-.") or "field"


def _distinct(names: Sequence[str]) -> list[str]:
    """Add a number to names that are taken; some disks do not tell capitals apart."""
    taken: set[str] = set()
    found = []
    for name in names:
        own, number = name, 1
        while own.casefold() in taken:
            number += 1
            own = f"{name}-{number}"
        taken.add(own.casefold())
        found.append(own)
    return found
