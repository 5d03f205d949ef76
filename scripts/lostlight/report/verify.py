"""Is the run on disk still the run that was recorded? Re-hash every product and every link between manifests."""

from dataclasses import dataclass, field
from pathlib import Path

from lostlight.core import atomic
from lostlight.core.errors import ContractError
from lostlight.core.manifest import Manifest, Parent, Product, load

_MANIFESTS = ("[0-9][0-9]_*/manifest.json", "[0-9][0-9]_*/shards/*.json")


@dataclass
class Verified:
    """What was found whole."""

    n_manifests: int = 0
    n_products: int = 0
    n_links: int = 0
    hashes: dict[Path, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        counts = (self.n_manifests, "manifest"), (self.n_products, "product"), (self.n_links, "link")
        manifests, products, links = (f"{n} {noun}" + ("" if n == 1 else "s") for n, noun in counts)
        return f"{manifests}, {products} and {links} agree"


def verify(run: Path) -> Verified:
    """Re-hash all that the manifests of a run, and of its planted twin, name.

    Raises
    ------
    ContractError
        Naming the first product or manifest that is missing or altered, in the order of the steps.
    """
    paths = manifest_paths(run)
    if not paths:
        raise ContractError(f"{run} holds no manifest", hint="give the folder of a run: data/runs/<run_id>")
    verified = Verified()
    for path in paths:
        _verify_manifest(load(path), path.relative_to(run).as_posix(), verified)
    return verified


def manifest_paths(run: Path) -> list[Path]:
    """List the manifests of a run and of its planted twin, in the order of the steps."""
    found = (
        path for folder in (run, run / "planted") for pattern in _MANIFESTS for path in sorted(folder.glob(pattern))
    )
    return [path for path in found if not path.name.endswith("timings.json")]


def _verify_manifest(manifest: Manifest, name: str, verified: Verified) -> None:
    verified.n_manifests += 1
    for parent in manifest.parents:
        _verify_parent(manifest, name, parent, verified)
    for unit in manifest.units:
        for role, product in unit.outputs.items():
            _verify_file(manifest.folder, product, f"{name}: unit {unit.id}, output {role}", verified)
            verified.n_products += 1
        for role, product in unit.inputs.items():
            # A bare name is a file of the user's own, outside the run.
            if "/" in product.path:
                _verify_file(manifest.folder, product, f"{name}: unit {unit.id}, input {role}", verified)
                verified.n_links += 1


def _verify_parent(manifest: Manifest, name: str, parent: Parent, verified: Verified) -> None:
    product = Product(path=parent.path, sha256=parent.sha256, bytes=0)
    _verify_file(manifest.folder, product, f"{name}: made from {parent.step}", verified)
    verified.n_links += 1


def _verify_file(folder: Path, product: Product, where: str, verified: Verified) -> None:
    path = folder / product.path
    if not path.is_file():
        raise ContractError(f"{path} is missing ({where})", hint="run its step again", path=product.path)
    if path not in verified.hashes:
        verified.hashes[path] = atomic.sha256_file(path)
    if verified.hashes[path] != product.sha256:
        raise ContractError(
            f"{path} was altered: its sha256 is {verified.hashes[path][:16]}…, "
            f"recorded was {product.sha256[:16]}… ({where})",
            hint="run the step that makes it, and those after it, again",
            path=product.path,
        )
