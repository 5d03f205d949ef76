"""Step 10: the run as one archive that can be checked, shared and cited."""

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from lostlight.core import whole
from lostlight.core.errors import ContractError
from lostlight.core.manifest import Manifest, load
from lostlight.core.params import PackageParams
from lostlight.core.step import Outputs, Result, Unit, step
from lostlight.io import archive

IMAGES = frozenset({
    "image", "clean", "mask", "master", "bpm", "reduced", "tiff",
    "preview", "rejected", "overlay", "quality", "before", "after",
    "measured", "sources", "levels", "lot", "coverage", "weight", "jpg",
    "stack", "picture", "nodes", "stamps", "cases", "cutouts",
})  # fmt: skip
"""Roles left out unless images are asked for: they are most of the bytes and can be made again."""

README = """\
{title}
{underline}

Start with 09_summary/products/report.html. candidates.ecsv (.vot, .parquet, .reg) beside it holds the candidates,
flags.fits every detection with the cuts it fails.

Each NN_name/manifest.json says what a step did, with which parameters and software, and the sha256 of all it read and
made; paths are relative to this folder. planted/ is the same run with artificial stars in its plates.
{said}
Check that nothing was altered:

    sha256sum -c SHA256SUMS
"""
BESIDES = {
    "11_calibrate": "11_calibrate/products/calibration.html tells how own frames were calibrated.\n",
    "12_mosaic": "12_mosaic/products/mosaic*.html tells how own frames were joined, for each filter.\n",
    "14_recover": "14_recover/products/*.html tell what moves in each stack of images, and how complete the search\n"
    "is; 13_inject/products/*.truth.ecsv list the artificial sources that were planted to learn that.\n",
}
"""What is told of the steps besides the survey, where they were done."""
WITH_IMAGES = "Images and masks are included.\n"
WITHOUT_IMAGES = "Images and masks are left out (package.images: false): `lostlight verify` will miss them here.\n"


@step(
    "10_package",
    after=(
        "00_tiles",
        "01_download",
        "02_masks",
        "03_detect",
        "04_psf",
        "05_measure",
        "06_reference",
        "07_xmatch",
        "08_filter",
        "09_summary",
    ),
    may_follow=("11_calibrate", "12_mosaic", "13_inject", "14_recover"),
    makes={"package": "package.zip", "sha256": "package.zip.sha256"},
    params=PackageParams,
    version=2,
    plan=whole.plan,
)
def package(unit: Unit, params: PackageParams, out: Outputs) -> Result:
    """Pack manifests, tables and report into an archive that is the same bytes for the same run, and reopen it."""
    manifests = _lineage(unit.inputs.values())
    home = next(m.folder for m in manifests.values() if m.step == "00_tiles")
    products = _products(manifests.values(), params.images)
    members: dict[str, Path | bytes] = {_name(path, home): path for path in (*manifests, *products)}
    members["README.txt"] = _readme(manifests.values(), params.images)
    hashes = archive.pack(out["package"], members)
    for path, sha256 in products.items():
        name = _name(path, home)
        if hashes[name] != sha256:
            raise ContractError(
                f"{name} was altered: its sha256 is {hashes[name][:16]}…, its manifest says {sha256[:16]}…",
                hint="delete the file and run its step again; it will be made anew",
                path=name,
            )
    archive.check(out["package"], hashes)
    archive.write_sha256(out["package"], out["sha256"])
    sizes = {"n_manifests": len(manifests), "n_products": len(products), "n_members": len(hashes)}
    return Result(metrics={**sizes, "package_bytes": out["package"].stat().st_size})


def _lineage(paths: Iterable[Path]) -> dict[Path, Manifest]:
    """Read manifests and all they were made from: shards, and the planted twin that the summary has read."""
    found: dict[Path, Manifest] = {}
    waiting = [Path(os.path.normpath(path)) for path in paths]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path] = load(path)
            folder = found[path].folder
            waiting += [Path(os.path.normpath(folder / parent.path)) for parent in found[path].parents]
    return found


def _products(manifests: Iterable[Manifest], images: bool) -> dict[Path, str]:
    return {
        Path(os.path.normpath(manifest.folder / product.path)): product.sha256
        for manifest in manifests
        for unit in manifest.units
        for role, product in unit.outputs.items()
        if images or role not in IMAGES
    }


def _name(path: Path, home: Path) -> str:
    return Path(os.path.relpath(path, home)).as_posix()


def _readme(manifests: Collection[Manifest], images: bool) -> bytes:
    title, done = f"Lostlight run {next(iter(manifests)).run_id}", {manifest.step for manifest in manifests}
    said = "".join(words for step_id, words in BESIDES.items() if step_id in done)
    said += WITH_IMAGES if images else WITHOUT_IMAGES
    return README.format(title=title, underline="=" * len(title), said=said).encode()
