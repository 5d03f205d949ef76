"""What a step is: a pure function for one unit, declared with what it needs and what it makes."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from lostlight.core.errors import Fact, LostlightError
from lostlight.core.manifest import Check, Manifest
from lostlight.core.params import Params
from lostlight.vocab.steps import PLANT, STEPS, module


@dataclass(frozen=True)
class Lent:
    """What a unit may use of the machine; no result depends on it, but for the rounding of a GPU."""

    threads: int = 1
    memory_mb: int = 256
    backend: Literal["auto", "numpy", "numba"] = "auto"
    device: Literal["auto", "cpu", "gpu"] = "cpu"


@dataclass(frozen=True)
class Take:
    """A product of another unit of the same step: the unit, its role there, and whether it can be done without."""

    unit: str
    role: str
    must: bool = True


@dataclass(frozen=True)
class Unit:
    """One piece of work: a tile, a master, a lot, a stack, or the whole run.

    ``unit["image"]`` is the path of an input, ``unit.facts`` are plain values that came with the plan, and
    ``unit.seed`` is 128 bits that depend on the run's seed, the step and the unit's id, and on nothing else.
    ``unit.takes`` gives roles of inputs that other units of the same step make; those units are done before.
    ``unit.concerns`` names the parameters it is given, the others being at their defaults: editing one of those makes
    nothing anew. Empty means all.
    """

    id: str
    inputs: Mapping[str, Path] = field(default_factory=dict)
    facts: Mapping[str, Fact] = field(default_factory=dict)
    seed: int = 0
    prepared: Any = None
    takes: Mapping[str, Take] = field(default_factory=dict)
    concerns: tuple[str, ...] = ()
    lent: Lent = Lent()

    def __getitem__(self, role: str) -> Path:
        return self.inputs[role]

    def __contains__(self, role: object) -> bool:
        return role in self.inputs


class Outputs:
    """The only place a step may write: ``out["catalog"]`` is the path for that role.

    A step may note the size of a table or image in ``out.sizes[role]`` (rows, or ny and nx); it goes to the manifest.
    """

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = dict(paths)
        self.sizes: dict[str, list[int]] = {}

    def __getitem__(self, role: str) -> Path:
        return self._paths[role]


@dataclass(frozen=True)
class Result:
    """What a step says of one unit that worked: flat metrics (unit in the name), checks and warnings."""

    metrics: Mapping[str, Fact] = field(default_factory=dict)
    checks: Sequence[Check] = ()
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Step:
    """A step as declared: see `step` for the meaning of each field."""

    id: str
    run: Callable[[Unit, Any, Outputs], Result]
    after: tuple[str, ...]
    needs: tuple[str, ...]
    wants: tuple[str, ...]
    may_follow: tuple[str, ...]
    makes: Mapping[str, str]
    optional: frozenset[str]
    params: type[Params]
    version: int
    cites: tuple[str, ...]
    plan: Callable[[Sequence[Manifest], Any], list[Unit]] | None
    prepare: Callable[[Sequence[Unit], Any], Mapping[str, Any]] | None
    slice_size: int
    engines: Callable[[Any], Mapping[str, str]]


REGISTRY: dict[str, Step] = {}


def step(
    step_id: str,
    *,
    after: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
    wants: tuple[str, ...] = (),
    may_follow: tuple[str, ...] = (),
    makes: Mapping[str, str],
    optional: tuple[str, ...] = (),
    params: type[Params],
    version: int,
    cites: tuple[str, ...] = (),
    plan: Callable[[Sequence[Manifest], Any], list[Unit]] | None = None,
    prepare: Callable[[Sequence[Unit], Any], Mapping[str, Any]] | None = None,
    slice_size: int = 1,
    engines: Callable[[Any], Mapping[str, str]] = lambda _: {},
) -> Callable[[Callable[[Unit, Any, Outputs], Result]], Callable[[Unit, Any, Outputs], Result]]:
    """Declare a step.

    Parameters
    ----------
    step_id : str
        ``NN_word``; the module is ``sNN_word``, the rule ``stepNN``, the config section ``word``.
    after : tuple of str
        Steps whose manifests are read.
    needs, wants : tuple of str
        Roles of the input files that must, or may, be there.
    may_follow : tuple of str
        Steps whose manifests are read where the configuration asks for it.
    makes : mapping
        Role to file name, ``{unit}`` standing for the unit's id: ``{"catalog": "{unit}.p1.fits"}``.
    optional : tuple of str
        Roles of `makes` that a unit may leave out.
    params : type
        The section of the configuration.
    version : int
        Changes when the meaning of the step changes.
    cites : tuple of str
        Keys of what to cite when the step ran.
    plan : callable, optional
        Upstream manifests and params to units. Without it there is one unit per upstream unit.
    prepare : callable, optional
        Called in the worker with up to `slice_size` units at once, for programs that are slow to start; what it gives
        for a unit's id becomes ``unit.prepared`` (an exception is raised for that unit alone). The outcome for a unit
        must not depend on its companions.
    engines : callable, optional
        Params to the versions of the programs and libraries that decide the result; enters the fingerprint.
    """

    def declare(function: Callable[[Unit, Any, Outputs], Result]) -> Callable[[Unit, Any, Outputs], Result]:
        if step_id in REGISTRY:
            raise ValueError(f"step {step_id} is declared twice: {REGISTRY[step_id].run} and {function}")
        REGISTRY[step_id] = Step(
            id=step_id, run=function, after=after, needs=needs, wants=wants, may_follow=may_follow, makes=dict(makes),
            optional=frozenset(optional), params=params, version=version, cites=cites, plan=plan, prepare=prepare,
            slice_size=slice_size, engines=engines,
        )  # fmt: skip
        return function

    return declare


def find(step_id: str) -> Step:
    """Import and return one step; raises LostlightError with the known ids if there is no such step."""
    if step_id not in (*STEPS, PLANT):
        raise LostlightError(f"there is no step {step_id!r}", hint=f"known steps: {', '.join(STEPS)}")
    import_module(module(step_id))
    return REGISTRY[step_id]


def seed_of(run_seed: int, step_id: str, unit_id: str) -> int:
    """Derive the 128-bit seed of a unit, the same for any order and number of workers."""
    return int.from_bytes(hashlib.sha256(f"{run_seed}/{step_id}/{unit_id}".encode()).digest()[:16], "big")
