"""A share of the sources of a stack rendered: their light on every image, as it was realised."""

from dataclasses import fields
from pathlib import Path

import numpy as np

from lostlight.core.params import InjectParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.io import arrays, tables
from lostlight.science.inject.images import Stamps, render_stamps
from lostlight.steps.injecting import epochs, planning
from lostlight.vocab.movers import INJECTED_EPOCHS


def render(unit: Unit, params: InjectParams, out: Outputs) -> Result:
    """Render the sources of every so-manieth copy of the images."""
    _, known = epochs.opened(unit["stack"], params.photons.gain_e_adu)
    rules = planning.rules_of(params, 0, str(unit.facts["stack"]))
    plan = planning.read(unit, rules)
    which = np.flatnonzero(plan.realisation % int(unit.facts["n_shares"]) == int(unit.facts["share"]))
    stamps = render_stamps(known, plan, which)
    arrays.write(out["stamps"], {field.name: getattr(stamps, field.name) for field in fields(stamps)})
    images = plan.images
    rows = np.isin(images["inj_id"], plan.sources["inj_id"][which])
    realised = np.zeros((len(plan), len(known)))
    for i in range(len(stamps)):
        realised[stamps.source[i], stamps.epoch[i]] = stamps.stamp(i).sum(dtype=np.float64)
    images["flux_realised_adu"] = realised.ravel()
    tables.write(images[rows], out["epochs"], INJECTED_EPOCHS)
    out.sizes["epochs"] = [int(rows.sum())]
    return Result({"n_sources": len(which), "n_stamps": len(stamps)})


def read(path: Path) -> Stamps:
    """Read the stamps of a share."""
    return Stamps(**arrays.read(path))
