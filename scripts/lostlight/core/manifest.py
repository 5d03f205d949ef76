"""What a step says it did: a pure function of content, without clock, host or absolute path."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from lostlight.core import atomic
from lostlight.core.errors import ContractError, Fact

SCHEMA = "manifest/1"

Status = Literal["ok", "skipped", "failed"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Product(_Record):
    """A file, its path relative to the run folder, and what it holds."""

    path: str
    sha256: str
    bytes: int
    format: str = ""
    size: tuple[int, ...] = ()


class Check(_Record):
    """Value, threshold and verdict of one check, recorded as one fact."""

    name: str
    value: float
    threshold: float
    passed: bool


class Failure(_Record):
    """Why a unit failed; a bug also carries its traceback."""

    type: str
    message: str
    hint: str = ""
    facts: dict[str, Fact] = {}
    transient: bool = False
    traceback: str = ""


class UnitRecord(_Record):
    """What happened to one unit."""

    id: str
    status: Status
    fingerprint: str = ""
    facts: dict[str, Fact] = {}
    inputs: dict[str, Product] = {}
    outputs: dict[str, Product] = {}
    metrics: dict[str, Fact] = {}
    checks: tuple[Check, ...] = ()
    warnings: tuple[str, ...] = ()
    failure: Failure | None = None

    @field_validator("facts", "metrics")
    @classmethod
    def _without_nan(cls, values: dict[str, Fact]) -> dict[str, Fact]:
        # JSON has no word for NaN or infinity; a value that is not known is null.
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


class Parent(_Record):
    """A manifest that was read."""

    step: str
    path: str
    sha256: str


class Manifest(_Record):
    """What one step, or one shard of it, did.

    ``manifest.path`` is where it lies and ``manifest.folder`` the run folder all paths are relative to; neither is
    written.
    """

    schema_: str = SCHEMA
    run_id: str
    step: str
    step_version: int
    status: Literal["ok", "partial", "failed"]
    software: dict[str, str] = {}
    params: dict[str, object] = {}
    params_sha256: str = ""
    parents: tuple[Parent, ...] = ()
    counts: dict[Status, int] = {}
    metrics: dict[str, Fact] = {}
    timings: str = ""
    cites: tuple[str, ...] = ()
    units: tuple[UnitRecord, ...] = ()

    _path: Path = Path("run/step/manifest.json")

    @property
    def path(self) -> Path:
        """Where the manifest lies."""
        return self._path

    @property
    def folder(self) -> Path:
        """The run folder."""
        return run_folder(self._path)

    def at(self, path: Path) -> "Manifest":
        """Tell the manifest where it lies."""
        self._path = path
        return self

    def product(self, unit: UnitRecord, role: str) -> Path:
        """Path of a unit's output."""
        return self.folder / unit.outputs[role].path

    def ok(self) -> Iterable[UnitRecord]:
        """Iterate over the units that worked."""
        return (unit for unit in self.units if unit.status == "ok")

    def dump(self) -> dict[str, object]:
        """Plain data, ``schema`` instead of ``schema_``, sealed with the sha256 of all the rest."""
        content = self.model_dump(mode="json")
        content["schema"] = content.pop("schema_")
        return {**content, "sha256": atomic.sha256_json(content)}


def products(manifests: Iterable[Manifest], role: str) -> list[Path]:
    """Give the products in a role of all units that worked, in order of the manifests and units."""
    return [m.product(unit, role) for m in manifests for unit in m.ok() if role in unit.outputs]


def load(path: Path) -> Manifest:
    """Read a manifest.

    Raises
    ------
    ContractError
        If it is missing, not a manifest, or of a schema this version does not know.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ContractError(f"there is no manifest at {path}", hint="run the step before this one") from error
    except (OSError, ValueError) as error:
        raise ContractError(f"{path} cannot be read as a manifest: {error}", hint="run its step again") from error
    schema = content.pop("schema", None) if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise ContractError(
            f"{path} is not a manifest of schema {SCHEMA} (it says {schema!r})",
            hint="was it made by another version? run its step again",
        )
    _check_seal(path, {"schema": schema, **content})
    content.pop("sha256")
    try:
        return Manifest.model_validate({"schema_": schema, **content}).at(path)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ContractError(f"{path}: {place}: {first['msg']}", hint="run its step again") from error


def _check_seal(path: Path, content: Mapping[str, object]) -> None:
    stated = content.get("sha256")
    found = atomic.sha256_json({key: value for key, value in content.items() if key != "sha256"})
    if found != stated:
        raise ContractError(
            f"{path} was altered: the sha256 of its content is {found[:16]}…, it says {str(stated)[:16]}…",
            hint="delete it and run its step again; finished units are kept",
            path=path.name,
        )


def run_folder(path: Path) -> Path:
    """Folder that the paths of a manifest are relative to: above ``NN_name/`` or ``NN_name/shards/``."""
    step_folder = path.parent.parent if path.parent.name == "shards" else path.parent
    return step_folder.parent


def verify_product(folder: Path, product: Product, where: str) -> None:
    """Re-hash one product; raises ContractError naming the file and both hashes."""
    path = folder / product.path
    if not path.is_file():
        raise ContractError(f"{path} is missing ({where})", hint="run the step that makes it again")
    found = atomic.sha256_file(path)
    if found != product.sha256:
        raise ContractError(
            f"{path} was altered: its sha256 is {found[:16]}…, the manifest says {product.sha256[:16]}… ({where})",
            hint="delete the file and run its step again; it will be made anew",
            path=product.path,
        )


def aggregate(units: Iterable[UnitRecord]) -> Mapping[str, Fact]:
    """Sum counts (``n_*``) and take medians of the other numbers over the units that worked."""
    values: dict[str, list[float]] = {}
    for unit in units:
        for name, value in unit.metrics.items():
            if unit.status == "ok" and isinstance(value, int | float) and not isinstance(value, bool):
                values.setdefault(name, []).append(value)
    return {name: sum(found) if name.startswith("n_") else _median(found) for name, found in sorted(values.items())}


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
