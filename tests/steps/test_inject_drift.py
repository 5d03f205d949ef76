"""Drifts planted by step 13: as slow and as fast as its images, or its cut-outs, can show."""

import numpy as np
import pytest
from tests.injection_run import INJECT, make, take

from lostlight.io import case_store

ARC_H = 24 * 1.0347222


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return take(tmp_path_factory.mktemp("field") / "f")


def test_drifts_of_a_run_stay_on_enough_images(images, tmp_path):
    made = make(images, tmp_path / "run", n=60, classes={"drift": 1})
    assert not made.error, made.said
    truth, rate = made.truth, np.asarray(made.truth["rate_arcsec_h"])
    width = float(made.unit("stack_field").metrics["fwhm_px"])
    assert rate.min() > 0.99 * 2 * width / ARC_H and rate.max() <= 5
    assert np.log(rate).std() > 0.6 and np.mean(truth["n_visible"] >= 4) > 0.95


def test_limits_of_a_run_are_those_of_drifts_and_fast_ones(images, tmp_path):
    made = make(images, tmp_path / "run", n=30, classes={"drift": 1, "fast": 1}, rates={"low": 0.3, "high": 0.4})
    assert set(made.truth["sample_type"]) == {"drift", "fast"}
    assert np.all((made.truth["rate_arcsec_h"] > 0.299) & (made.truth["rate_arcsec_h"] < 0.401))


def test_drifts_of_cut_outs_are_slower(images, tmp_path):
    made = make(images, tmp_path / "run", classes={"drift": 1}, cases={"n": 12, "patch_px": 32, "stride_px": 16})
    assert not made.error, made.said
    cases = case_store.open_cases(made.run / INJECT / "products" / "cases_field.cases.zarr.zip")
    rate = np.asarray(cases.truth["rate_arcsec_h"])
    # the diagonal of a cut-out, while four of the five images are taken
    assert rate.max() <= 32 * 2**0.5 / (ARC_H - 2) * 1.1 and rate.min() > 0.04
