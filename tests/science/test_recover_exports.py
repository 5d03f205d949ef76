"""Efficiency files as others read them."""

import configparser

import numpy as np
import pytest

from lostlight.science.recover.curves import FORMS, Fit
from lostlight.science.recover.exports import Cut, RateBin, eff, sorcha

CUT = Cut(0.5, 15.0, -21.0, 15.6)


def fitted(form, values, m50=24.1):
    values = np.array(values, float)
    return Fit(form, values, np.zeros((len(values),) * 2), -10.0, m50, 0.02)


def read(text):
    """Read an efficiency file as its format says: keys in order, functions by rate; give those as callables."""
    top, functions, keys = {}, [], {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        key, numbers = line.split("=", 1)
        if key == "rates":
            keys = {}
            functions.append((tuple(map(float, numbers.split())), keys))
        if functions:
            keys[key] = numbers.strip()
        else:
            top[key] = numbers.strip()
    return top, functions


def efficiency(keys, m):
    """Evaluate a function of an efficiency file, as its template defines them."""
    values = list(map(float, keys[f"{keys['function']}_param"].split()))
    if keys["function"] == "square":
        top, c, m0, sigma = values
        return (top - c * (m - 21) ** 2) / (1 + np.exp((m - m0) / sigma))
    top, m0, first, second = values
    return top / 4 * (1 - np.tanh((m - m0) / first)) * (1 - np.tanh((m - m0) / second))


FITS = {
    "logistic": (0.93, 24.3, 0.2),
    "double_tanh": (0.9, 24.4, 0.3, 0.9),
    "square": (0.89, 0.028, 24.14, 0.155),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_file_gives_the_efficiency_that_was_fitted(form):
    made = fitted(form, FITS[form])
    top, functions = read(eff([RateBin(0.5, 8.0, made), RateBin(8.0, 11.0, None)], CUT, "g", "field-7"))
    assert top["rate_cut"].split() == ["0.50", "15.00", "-21.00", "15.60"]
    assert top["filter"] == "g"
    assert {"mag_error", "phot_frac", "track_frac"} <= set(top)
    (rates, keys), = functions  # fmt: skip
    assert rates == (0.5, 8.0)
    assert float(keys["mag_lim"]) == 24.1
    m = np.linspace(22, 25.5, 20)
    assert efficiency(keys, m) == pytest.approx(made.at(m), abs=1e-6)


def test_a_curve_without_depth_has_limit_zero():
    _, functions = read(eff([RateBin(0, 5, fitted("logistic", (0.3, 24, 0.2), np.nan))], CUT))
    assert functions[0][1]["mag_lim"] == "0.000"


def test_sorcha_reads_its_section():
    made = fitted("logistic", FITS["logistic"])
    config = configparser.ConfigParser()
    config.read_string(sorcha(made))
    section = config["FADINGFUNCTION"]
    assert section.getboolean("fading_function_on")
    width, peak = section.getfloat("fading_function_width"), section.getfloat("fading_function_peak_efficiency")
    m = np.linspace(22, 26, 9)
    assert peak / (1 + np.exp((m - 24.3) / width)) == pytest.approx(made.at(m))
    assert "24.3000" in sorcha(made)


def test_sorcha_takes_no_other_form():
    with pytest.raises(ValueError, match="square"):
        sorcha(fitted("square", FITS["square"]))
