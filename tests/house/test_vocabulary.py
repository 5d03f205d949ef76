"""Every column, bit and citation is declared once and completely."""

import pytest
from astropy import units

from lostlight.core.step import find
from lostlight.report.citations import CITATIONS
from lostlight.vocab import bits, columns
from lostlight.vocab.steps import PLANT, STEPS

SUFFIXES = {"_deg": "deg", "_arcsec": "arcsec", "_arcmin": "arcmin", "_px": "pix", "_adu": "adu", "_yr": "yr"}


@pytest.mark.parametrize("column", columns.COLUMNS.values(), ids=lambda column: column.name)
def test_a_column_says_what_it_is(column):
    assert column.ucd, "no UCD"
    assert len(column.text) > 4, "no sentence"
    units.Unit(column.unit, format="vounit")


@pytest.mark.parametrize("column", columns.COLUMNS.values(), ids=lambda column: column.name)
def test_the_unit_in_a_name_is_the_unit_of_the_column(column):
    for suffix, unit in SUFFIXES.items():
        if column.name.removesuffix("_err").endswith(suffix) and not column.name.endswith(
            ("_mas_yr", "area_px", "_e_adu")
        ):
            assert column.unit == unit


KINDS = {"mask": bits.MASK, "filter": bits.FILTER, "dq": bits.DQ, "injection": bits.INJECTION, "stack": bits.STACK}


@pytest.mark.parametrize("declared", KINDS.values(), ids=KINDS)
def test_bits_are_distinct_and_explained(declared):
    values = [bit.value for bit in declared]
    assert len(set(values)) == len(values)
    assert all(value & (value - 1) == 0 for value in values)
    assert all(bit.text for bit in declared)
    assert len({bit.name for bit in declared}) == len(declared)


@pytest.mark.parametrize("step_id", [*STEPS, PLANT])
def test_what_a_step_cites_can_be_cited(step_id):
    missing = [key for key in find(step_id).cites if key not in CITATIONS]
    assert not missing
