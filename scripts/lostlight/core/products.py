"""Inputs checked, products staged and promoted: nothing half-written is ever seen."""

import os
import shutil
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lostlight.core import atomic
from lostlight.core.errors import ContractError
from lostlight.core.manifest import Product
from lostlight.core.params import Params
from lostlight.core.step import Outputs, Step, Unit, find


@dataclass(frozen=True)
class Workplace:
    """What every unit of a step shares; `expected` gives the sha256 that manifests state for paths of inputs."""

    step_id: str
    params: Params
    run_folder: Path
    step_folder: Path
    run_id: str
    engines: Mapping[str, str]
    expected: Mapping[str, str]

    @property
    def step(self) -> Step:
        """The declared step."""
        return find(self.step_id)

    def receipt(self, unit: Unit) -> Path:
        """Where the receipt of a unit lies."""
        return self.step_folder / "units" / f"{unit.id}.json"

    def product(self, unit: Unit, role: str) -> Path:
        """Where a product of a unit lies."""
        return self.step_folder / "products" / self.step.makes[role].format(unit=unit.id)


def hash_inputs(place: Workplace, unit: Unit) -> dict[str, Product]:
    """Describe the inputs of a unit; raises ContractError if one is missing, or is not what its manifest states."""
    return {role: _hash_input(place, path) for role, path in sorted(unit.inputs.items())}


def _hash_input(place: Workplace, path: Path) -> Product:
    if not path.is_file():
        raise ContractError(f"{path} is missing", hint="run the step that makes it again", path=path.name)
    found = atomic.sha256_file(path)
    stated = place.expected.get(str(path), found)
    if found != stated:
        raise ContractError(
            f"{path} was altered: its sha256 is {found[:16]}…, its manifest says {stated[:16]}…",
            hint="delete the file and run its step again; it will be made anew",
            path=path.name,
        )
    return Product(path=relative(path, place.run_folder), sha256=found, bytes=path.stat().st_size)


def relative(path: Path, run_folder: Path) -> str:
    """Path as a manifest states it: relative to the run folder, or the bare name of a user's own file."""
    stated = os.path.relpath(path.resolve(), run_folder.resolve())
    return path.name if stated.startswith("../../") else Path(stated).as_posix()


def is_intact(place: Workplace, product: Product) -> bool:
    """Tell whether a product is still what its receipt states."""
    path = place.run_folder / product.path
    return path.is_file() and path.stat().st_size == product.bytes and atomic.sha256_file(path) == product.sha256


def promote(place: Workplace, unit: Unit, out: Outputs) -> dict[str, Product]:
    """Move what a step made into place; raises RuntimeError, a bug, if something it must make is not there."""
    made = {role: out[role] for role in place.step.makes if out[role].is_file()}
    missing = [role for role in place.step.makes if role not in made and role not in place.step.optional]
    if missing:
        raise RuntimeError(f"step {place.step_id} did not make {', '.join(missing)} for unit {unit.id}")
    remove(place, unit, keep=made)
    return {role: _promote_one(place, path, out.sizes.get(role, [])) for role, path in made.items()}


def _promote_one(place: Workplace, staged: Path, size: Sequence[int]) -> Product:
    final = place.step_folder / "products" / staged.name
    final.parent.mkdir(parents=True, exist_ok=True)
    digest, n_bytes = atomic.sha256_file(staged), staged.stat().st_size
    staged.replace(final)
    return Product(
        path=relative(final, place.run_folder),
        sha256=digest,
        bytes=n_bytes,
        format=final.suffix.lstrip("."),
        size=tuple(size),
    )


def remove(place: Workplace, unit: Unit, keep: Container[str] = ()) -> None:
    """Remove the products of a unit, but for the roles in `keep`."""
    for role in place.step.makes:
        if role not in keep:
            place.product(unit, role).unlink(missing_ok=True)


def sweep(place: Workplace, unit: Unit) -> None:
    """Remove what killed processes left of a unit, done or not."""
    for left in (place.step_folder / ".staging").glob(f"{unit.id}@*"):
        if not _is_alive(int(left.name.rpartition("@")[2])):
            shutil.rmtree(left, ignore_errors=True)


def staging(place: Workplace, unit: Unit) -> Path:
    """Make a folder for this process alone.

    An orphan of a killed run may still be at work on the same unit; each has its own folder, and both promote the
    same bytes.
    """
    own = place.step_folder / ".staging" / f"{unit.id}@{os.getpid()}"
    own.mkdir(parents=True)
    return own


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != os.getpid() and not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Tell whether a process has ended and only waits for its parent to take note; it still answers to signals."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False
