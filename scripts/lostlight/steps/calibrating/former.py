"""The masters of a run beside those that the library kept before: what has the camera done since?"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lostlight.core.params.calibrate import CalibrateParams
from lostlight.core.step import Unit
from lostlight.io import planes
from lostlight.science.calibrate import frame_checks, hot
from lostlight.science.calibrate.distance import MatchRules, rank
from lostlight.science.calibrate.groups import Group
from lostlight.science.calibrate.trouble import Warn

NOW, BEFORE = "master/", "former/"
"""How the roles of a master begin, and of the one before it."""


def predecessors(
    made: Mapping[str, Group], shelf: Sequence[Group], rules: MatchRules, stock: Mapping[str, Path]
) -> dict[str, Path]:
    """Find for each master that is made of frames the nearest of its kind in the library; gives its file."""
    found = {}
    for name, group in made.items():
        ranked = rank(group.like, [each for each in shelf if each.kind == group.kind], group.kind, rules)
        if nearest := next((each.id for each in ranked if not each.rejected), ""):
            found[name] = stock[nearest]
    return found


def changes(unit: Unit, params: CalibrateParams) -> list[Warn]:
    """Compare masters with those before them: their pixels (CAL220), and the number of their hot ones (CAL210)."""
    warnings: list[Warn] = []
    for role in sorted(unit.inputs):
        name = role.removeprefix(BEFORE)
        if role.startswith(BEFORE) and f"{NOW}{name}" in unit:
            warnings += _changes(name, unit[f"{NOW}{name}"], unit[role], params)
    return warnings


def _changes(name: str, now: Path, before: Path, params: CalibrateParams) -> list[Warn]:
    (new, header), (old, former) = planes.read(now), planes.read(before)
    is_alike = new.data.shape == old.data.shape and header.get("BIASSUB") == former.get("BIASSUB")
    if not is_alike:
        return []
    sigmas = [each.uncert if each.uncert is not None else np.zeros(each.data.shape) for each in (new, old)]
    warnings = []
    if all(sigma.any() for sigma in sigmas):
        warnings = frame_checks.changed_master(name, new.data, old.data, *sigmas, new.dq)
    threshold = params.cosmetic.hot_sigma
    if threshold is not None and str(header.get("IMAGETYP")) == "Master Dark":
        pattern = str(header.get("BAYERPAT", ""))
        maps = [hot.map_of_master(each.data, threshold, None, bayerpat=pattern) for each in (new, old)]
        warnings += hot.changed(*maps, name)
    return warnings
