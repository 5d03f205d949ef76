"""Cut-outs with one source each, for machine learning."""

from lostlight.core.params import InjectParams
from lostlight.core.step import Outputs, Result, Unit


def cases(unit: Unit, params: InjectParams, out: Outputs) -> Result:
    """Cut out and plant."""
    raise NotImplementedError
