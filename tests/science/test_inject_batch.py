"""Many cases at once: exact sums, and the same bits whoever asks for them, in which order, on how many threads."""

import hashlib
import json
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest
from tests.injection_scene import SHAPE, bad_pixels, epochs, images

from lostlight.core.errors import BadImage, ConfigError
from lostlight.io import case_files, case_store
from lostlight.science.inject import batch
from lostlight.science.inject.batch import inject_batch
from lostlight.science.inject.rules import Brightness, InjectionRules
from lostlight.science.inject.targets import TargetConfig
from lostlight.vocab.movers import NEGATIVES, SAMPLE_TYPES, STRATEGIES

RULES = InjectionRules(
    seed=11,
    classes={"tno": 0.5, "centaur": 0.2, "none": 0.1, "dipole": 0.1, "cosmic_ray": 0.1},
    motion="abg",
    target=TargetConfig("mid"),
    brightness=Brightness("snr_stack", 10, 30),
)
PATCH = {"patch_px": 33, "stride_px": 16}
N = 513
"""One more than a block."""


@pytest.fixture(scope="module")
def known():
    return epochs(dithers=False)


@pytest.fixture(scope="module")
def whole(known):
    return inject_batch(known, range(N), RULES, bad=bad_pixels(), **PATCH)


def digests(made):
    """SHA-256 of the light and of the truth of each case, by its number."""
    told = {}
    n_images = made.y.shape[1]
    sources, rows = made.sources.as_array().tolist(), made.images.as_array().tolist()
    for i, case in enumerate(made.cases.tolist()):
        truth = repr((sources[i], rows[i * n_images : (i + 1) * n_images]))
        told[case] = hashlib.sha256(made.y[i].tobytes() + truth.encode()).hexdigest()
    return told


@pytest.mark.parametrize("size", [1, 7, 512])
def test_light_and_truth_do_not_depend_on_the_size_of_batches(known, whole, size):
    """A2"""
    cases = np.arange(N)[:: 1 if size > 100 else 40 if size == 7 else 128]
    true = digests(whole)
    for start in range(0, len(cases), size):
        part = inject_batch(known, cases[start : start + size], RULES, bad=bad_pixels(), **PATCH)
        assert all(true[case] == digest for case, digest in digests(part).items())


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_light_and_truth_do_not_depend_on_workers_or_order(known, whole, workers):
    """A2"""
    shares = [np.random.default_rng(workers).permutation(N)[k::workers] for k in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        made = list(
            pool.map(
                lambda share: inject_batch(known, share, RULES, bad=bad_pixels(), **PATCH, threads=workers), shares
            )
        )
    assert {case: digest for part in made for case, digest in digests(part).items()} == digests(whole)


def test_another_process_makes_the_same(whole, project):
    """A2"""
    code = (
        "from tests.science.test_inject_batch import *\n"
        "part = inject_batch(epochs(dithers=False), [512, 3], RULES, bad=bad_pixels(), **PATCH)\n"
        "print(json.dumps(digests(part)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True)
    true = digests(whole)
    assert json.loads(ran.stdout) == {"512": true[512], "3": true[3]}


@pytest.mark.soak
@pytest.mark.parametrize("processes", [2, 4])
def test_thousands_of_cases_are_the_same_in_any_number_of_processes(known, processes):
    """A2: in full."""
    n = 5000
    shares = [range(k, n, processes) for k in range(processes)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        made = list(pool.map(_digests_of, shares))
    true = digests(inject_batch(known, range(n), RULES, bad=bad_pixels(), **PATCH))
    assert {case: digest for part in made for case, digest in part.items()} == true


def _digests_of(cases):
    return digests(inject_batch(epochs(dithers=False), cases, RULES, bad=bad_pixels(), **PATCH))


def test_seeds_share_no_case(known, whole):
    """A2: neither the same case, nor the next one of another seed."""
    other = inject_batch(known, range(64), replace(RULES, seed=12), **PATCH)
    assert not set(np.asarray(other.sources["x_px"])) & set(np.asarray(whole.sources["x_px"]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("poisson", [True, False])
def test_every_case_adds_up_bit_by_bit(known, dtype, poisson, monkeypatch):
    """A1: all sample types, with and without photon noise."""
    monkeypatch.setattr(batch, "BLOCK", 100)
    rules = replace(RULES, classes=dict.fromkeys(SAMPLE_TYPES, 1.0), poisson=poisson)
    made = inject_batch(known, range(100), rules, dtype=dtype, **PATCH)
    assert len(set(made.sources["sample_type"])) > 15
    stack = np.stack(images(known)).astype(dtype)
    x = made.x(stack)
    assert x.dtype == made.y.dtype == dtype
    for i, (row, column) in enumerate(made.corner):
        patch = stack[:, row : row + 33, column : column + 33]
        assert np.array_equal(x[i], patch + made.y[i], equal_nan=True)
    artefact = np.isin(made.sources["sample_type"], NEGATIVES)
    assert np.array_equal(made.label, ~artefact)
    assert (made.y[~artefact] >= 0).all()


def test_sums_survive_the_store_and_the_file(known, whole, tmp_path):
    """A1: bit by bit after a round through zarr and npz."""
    stack = np.nan_to_num(np.stack(images(known)))
    x = whole.x(stack)
    truth = {"stack": ["s"] * N, "row": whole.corner[:, 0], "column": whole.corner[:, 1], "label": whole.label}
    with case_store.writing(tmp_path / "cases.zarr.zip", N, whole.y.shape[1:]) as store:
        store.base("s", SHAPE, stack)
        store.put(whole.y, truth)
    again = case_store.open_cases(tmp_path / "cases.zarr.zip")
    assert np.array_equal(again.x(slice(0, N)), x) and np.array_equal(again.y(slice(0, N)), whole.y)
    row, column = whole.corner[5]
    patch = stack[:, row : row + 33, column : column + 33]
    case_files.write(tmp_path / "case.npz", patch_stack=patch, x=x[5], y=whole.y[5], sigma_patch=np.ones(5),
                     timestamps=known.days * 24, plate_scale=0.26, psf_fwhm=np.ones(5), meta={})  # fmt: skip
    with np.load(tmp_path / "case.npz", allow_pickle=False) as file:
        assert np.array_equal(file["X"], file["patch_stack"] + file["Y"])


def test_the_truth_leads_to_the_light(known):
    """Centroids of the light are where the truth says, on the cut-out."""
    rules = replace(RULES, classes={"tno": 1.0}, poisson=False, target=TargetConfig("visible", min_epochs=1.0))
    made = inject_batch(known, range(40), rules, **PATCH)
    rows, columns = np.indices((33, 33))
    x, y, flux, on = (
        np.asarray(made.images[name]).reshape(40, 5) for name in ("x_px", "y_px", "flux_realised_adu", "frac_on_image")
    )
    total = made.y.sum(axis=(2, 3), dtype=float)
    assert flux == pytest.approx(total, rel=1e-5)
    inside = on > 0.9999
    assert inside.mean() > 0.5
    for pixels, true, corner in ((columns, x, made.corner[:, 1:]), (rows, y, made.corner[:, :1])):
        centre = (made.y * pixels).sum(axis=(2, 3)) / np.maximum(total, 1e-9)
        assert centre[inside] == pytest.approx((true - corner)[inside], abs=0.02)
    assert (np.asarray(made.sources["n_visible"]) == 5).mean() > 0.95


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_sources_of_every_strategy_lie_on_their_cut_outs(known, strategy):
    stars = np.array([50.0, 180.0]), np.array([40.0, 120.0]), np.array([1e3, 1e3])
    target = TargetConfig(strategy, fixed_x=7, fixed_y=9, near_px=(0, 4))
    rules = replace(RULES, target=target, classes={"static": 1.0}, poisson=False)
    made = inject_batch(known, range(20), rules, bad=bad_pixels(), stars=stars, **PATCH)
    x, y = made.sources["x_px"] - made.corner[:, 1], made.sources["y_px"] - made.corner[:, 0]
    reach = 5 if strategy in ("gap", "near_star") else 0.51
    assert (np.abs(x - 16) <= 16 + reach).all() and (np.abs(y - 16) <= 16 + reach).all()
    if strategy == "fixed":
        assert np.asarray(x) == pytest.approx(7) and np.asarray(y) == pytest.approx(9)
    if strategy == "near_star":
        away = np.hypot(made.sources["x_px"][:, None] - stars[0], made.sources["y_px"][:, None] - stars[1])
        assert away.min(axis=1).max() <= 4.001


def test_compiled_blocks_of_any_size_leave_the_rest_alone(known, monkeypatch):
    monkeypatch.setattr(batch, "BLOCK", 8)
    made = inject_batch(known, [17, 3, 17], RULES, **PATCH)
    assert made.cases.tolist() == [17, 3, 17] and np.array_equal(made.y[0], made.y[2])
    assert made.sources["inj_id"].tolist() == ["000017", "000003", "000017"]


def test_no_cases_are_no_trouble(known):
    made = inject_batch(known, [], RULES, **PATCH)
    assert made.y.shape == (0, 5, 33, 33) and len(made.sources) == 0 and len(made.x(np.zeros((5, *SHAPE)))) == 0


def test_what_cannot_be_cut(known):
    with pytest.raises(BadImage, match="300"):
        inject_batch(known, [0], RULES, patch_px=300)
    with pytest.raises(ConfigError, match="negative"):
        inject_batch(known, [-1], RULES)
