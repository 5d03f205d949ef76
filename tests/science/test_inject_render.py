"""Points drawn on images, against integrals of the formulas, and against rules of light: none is lost or made."""

import math

import numpy as np
import pytest
from scipy.special import ndtr

from lostlight.core.errors import ConfigError
from lostlight.science.inject import compiled, compiled_sampled, compiled_slanted
from lostlight.science.inject.nodes import exposure_nodes, n_nodes
from lostlight.science.inject.profile import FWHM
from lostlight.science.inject.psf import elliptical, empirical, gaussian, moffat, sampled
from lostlight.science.inject.render import add_stamps, render_cases, stamps

DAY_S = 86400.0


def one(psf, shape, x, y, flux=1.0):
    """Draw one source on one image, in float64."""
    x, y = np.atleast_1d(x), np.atleast_1d(y)
    flux = np.broadcast_to(flux, x.shape)
    return render_cases([psf], shape, *(each[None, None] for each in (x, y, flux)), np.float64)[0, 0]


def trail(psf, shape, start, end, n=None):
    """Draw a straight trail with as many nodes as it asks for."""
    n = n or n_nodes(math.hypot(end[0] - start[0], end[1] - start[1]), psf.fwhm_px / FWHM)
    times, weights = exposure_nodes([0.5], [DAY_S], n)
    return one(psf, shape, *(a + (b - a) * times[0] for a, b in zip(start, end, strict=True)), weights)


def dense_gaussian(shape, start, end, s):
    """Integrate a trailed Gaussian: pixels by the normal distribution, the exposure by many equal steps."""
    times = (np.arange(4000) + 0.5) / 4000
    parts = []
    for size, a, b in zip(shape, start[::-1], end[::-1], strict=True):
        edges = (np.arange(size + 1) - 0.5)[:, None] - (a + (b - a) * times)
        parts.append(np.diff(ndtr(edges / s), axis=0))
    return parts[0] @ parts[1].T / 4000


def dense(density, shape, x, y, nodes=24):
    """Integrate a density over pixels by Gauss and Legendre's rule of many nodes."""
    at, weights = np.polynomial.legendre.leggauss(nodes)
    rows, columns = ((np.arange(size)[:, None] + at / 2).ravel() for size in shape)
    values = density(columns - x, rows[:, None] - y).reshape(shape[0], nodes, shape[1], nodes)
    return np.einsum("iajb,a,b->ij", values, weights / 2, weights / 2)


def moffat_density(fwhm, beta):
    alpha = fwhm / 2 / math.sqrt(2 ** (1 / beta) - 1)
    return lambda x, y: (beta - 1) / (math.pi * alpha**2) * (1 + (x**2 + y**2) / alpha**2) ** -beta


def ellipse_density(fwhm, ratio, pa_deg, beta=None):
    long, short = fwhm / math.sqrt(ratio), fwhm * math.sqrt(ratio)
    cos, sin = math.cos(math.radians(pa_deg)), math.sin(math.radians(pa_deg))

    def density(x, y):
        r2 = ((x * cos + y * sin) / long) ** 2 + ((y * cos - x * sin) / short) ** 2
        if beta is None:
            return 4 * math.log(2) / (math.pi * long * short) * 2 ** (-4 * r2)
        k = 4 * (2 ** (1 / beta) - 1)
        return (beta - 1) * k / (math.pi * long * short) * (1 + k * r2) ** -beta

    return density


@pytest.mark.parametrize("fwhm", [1.2, 2.5, 8.0])
@pytest.mark.parametrize("length", [0.0, 0.04, 0.06, 0.5, 1.0, 2.0, 4.0, 10.0, 25.0, 40.0])
def test_trails_agree_with_dense_integrals(fwhm, length):
    """A3: to 1e-4 of the peak for trails of 0 to 40 standard deviations, at any place within a pixel."""
    s, rng = fwhm / FWHM, np.random.default_rng(round(10 * (fwhm + length)))
    size = round(length * s + 14 * s) + 5
    shape = size | 1, size + 4
    for _ in range(3):
        angle, middle = rng.uniform(0, 2 * math.pi), np.array(shape[::-1]) / 2 + rng.uniform(-0.5, 0.5, 2)
        half = length * s / 2 * np.array([math.cos(angle), math.sin(angle)])
        start, end = tuple(middle - half), tuple(middle + half)
        drawn, truth = trail(gaussian(fwhm), shape, start, end), dense_gaussian(shape, start, end, s)
        assert abs(drawn - truth).max() <= 1e-4 * truth.max()


@pytest.mark.soak
def test_any_trail_agrees_with_a_dense_integral():
    """A3: drawn at random within its ranges, a few hundred times."""
    rng = np.random.default_rng(12)
    for _ in range(300):
        fwhm, length, angle = rng.uniform(1.2, 8), rng.uniform(0, 40), rng.uniform(0, 2 * math.pi)
        s = fwhm / FWHM
        size = round(length * s + 14 * s) + 5
        middle = size / 2 + rng.uniform(-0.5, 0.5, 2)
        half = length * s / 2 * np.array([math.cos(angle), math.sin(angle)])
        start, end = tuple(middle - half), tuple(middle + half)
        drawn = trail(gaussian(fwhm), (size, size), start, end)
        truth = dense_gaussian((size, size), start, end, s)
        assert abs(drawn - truth).max() <= 1e-4 * truth.max()
        assert drawn.sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("fwhm", [1.2, 2.5, 8.0])
def test_light_and_place_are_kept(fwhm):
    """A3: all light arrives to 1e-6, its centroid is right to 1e-4 px, and none is negative.

    Pixels as wide as the profile move the centroid of any image by more, so that the narrowest is left out of it.
    """
    rng = np.random.default_rng(3)
    for psf in (gaussian(fwhm), elliptical(fwhm, 0.6, 35), moffat(fwhm, 3), sampled(moffat(fwhm, 3).kernel(), 0.5)):
        half = psf.half_width()
        shape = 2 * half + 3, 2 * half + 6
        y, x = np.mgrid[: shape[0], : shape[1]]
        for _ in range(3):
            x0, y0 = half + 1 + rng.uniform(0, 1), half + 1 + rng.uniform(-0.5, 0.5)
            image = one(psf, shape, x0, y0, 300.0)
            assert image.min() >= 0
            assert image.sum() == pytest.approx(300, rel=1e-6)
            error = (image * x).sum() / image.sum() - x0, (image * y).sum() / image.sum() - y0
            assert fwhm < 2 or psf.record()["model"] == "sampled" or np.abs(error).max() < 1e-4


@pytest.mark.parametrize("beta", [1.8, 2.0, 2.5, 3.0, 4.765, 8.0])
@pytest.mark.parametrize("fwhm", [1.2, 2.5, 6.0])
def test_moffat_agrees_with_its_formula(fwhm, beta):
    shape, x, y = (31, 36), 17.31, 14.82
    truth = dense(moffat_density(fwhm, beta), shape, x, y)
    assert abs(one(moffat(fwhm, beta), shape, x, y) - truth).max() <= 2e-4 * truth.max()
    if beta >= 2:
        assert abs(one(moffat(fwhm, beta), shape, x, y) - truth).max() <= 1e-4 * truth.max()


@pytest.mark.parametrize(
    "psf", [moffat(2.5, 3.0), moffat(4.0, 2.5), elliptical(2.5, 0.7, 40), elliptical(3.0, 0.8, 9, 3.0)]
)
@pytest.mark.parametrize("length", [0.5, 3.0, 10.0])
def test_nodes_are_enough_for_other_profiles(psf, length):
    """A3: with six times as many nodes no pixel changes by 1e-4 of the peak; the profiles are tested below."""
    s, shape = psf.fwhm_px / FWHM, (61, 64)
    start = 20.3, 22.8
    end = start[0] + 0.8 * length * s, start[1] + 0.6 * length * s
    truth = trail(psf, shape, start, end, 6 * n_nodes(length * s, s))
    assert abs(trail(psf, shape, start, end) - truth).max() <= 1e-4 * truth.max()


def test_bent_trails_of_changing_light():
    """A source that turns and fades within an exposure, against many short steps."""
    psf, shape = gaussian(2.5), (41, 44)

    def nodes(times):
        return 12 + 14 * times, 15 + 9 * times * (1 - times) + 3 * times, 1 - 0.6 * times

    times, weights = exposure_nodes([0.5], [DAY_S], n_nodes(16.0, psf.fwhm_px / FWHM))
    x, y, light = nodes(times[0])
    drawn = one(psf, shape, x, y, light * weights)
    many = (np.arange(3000) + 0.5) / 3000
    truth = one(psf, shape, *nodes(many)[:2], nodes(many)[2] / 3000)
    assert abs(drawn - truth).max() < 1e-4 * truth.max()
    assert drawn.sum() == pytest.approx(0.7, rel=1e-6)


@pytest.mark.parametrize("beta", [None, 2.5])
@pytest.mark.parametrize(("fwhm", "ratio", "pa"), [(1.4, 0.7, 30), (2.5, 0.5, -70), (6.0, 0.4, 90), (3.0, 0.99, 0)])
def test_ellipses_agree_with_their_formula(fwhm, ratio, pa, beta):
    shape, x, y = (35, 32), 15.37, 17.9
    truth = dense(ellipse_density(fwhm, ratio, pa, beta), shape, x, y)
    drawn = one(elliptical(fwhm, ratio, pa, beta), shape, x, y)
    assert abs(drawn - truth).max() <= 1e-4 * truth.max()


def test_an_ellipse_of_ratio_one_is_the_circle():
    np.testing.assert_array_equal(
        one(elliptical(2.5, 1, 40, 3.0), (21, 24), 11.2, 9.9), one(moffat(2.5, 3.0), (21, 24), 11.2, 9.9)
    )


def test_a_fine_table_is_the_profile_that_it_was_taken_from():
    """An effective PSF: what pixels see of the profile, at a quarter of a pixel."""
    s, step, half = 2.6 / FWHM, 0.25, 28
    at = np.arange(-half, half + 1) * step
    seen = ndtr((at + 0.5) / s) - ndtr((at - 0.5) / s)
    psf = sampled(np.outer(seen, seen) * 7, step)
    truth = one(gaussian(2.6), (23, 26), 12.37, 10.81)
    assert abs(one(psf, (23, 26), 12.37, 10.81) - truth).max() < 1e-4 * truth.max()
    assert psf.fwhm_px == pytest.approx(2.6, rel=0.01)


def test_a_kernel_of_whole_pixels_is_given_back_where_it_is_centred():
    kernel = 3 * gaussian(2.5).kernel()
    psf = empirical(kernel)
    drawn = one(psf, (21, 24), 12.0, 9.0)
    np.testing.assert_allclose(drawn[3:16, 6:19], kernel / kernel.sum(), atol=1e-7)
    # Halfway between pixels a kernel does not say what lies there; a cubic does what it can.
    half_way, truth = one(psf, (21, 24), 12.5, 9.5), one(gaussian(2.5), (21, 24), 12.5, 9.5)
    assert abs(half_way - truth).max() < 0.03 * truth.max()


def test_light_outside_is_lost_and_not_made_up():
    whole = one(moffat(3.0, 2.5), (61, 64), 30.3, 28.7, 50.0)
    np.testing.assert_allclose(one(moffat(3.0, 2.5), (25, 12), 1.3, 22.7, 50.0), whole[6:31, 29:41], atol=1e-12)
    assert not one(gaussian(2.5), (20, 30), 80.0, 5.0).any()
    assert not one(gaussian(2.5), (20, 30), 5.0, -1e300).any()


def test_nodes_that_are_not_known_add_nothing():
    for psf in (gaussian(2.5), elliptical(2.5, 0.7, 10), empirical(gaussian(2.5).kernel())):
        known = one(psf, (21, 24), [9.0], [9.5], [2.0])
        some = one(psf, (21, 24), [9.0, np.nan, 4.0], [9.5, 3.0, np.inf], [2.0, 1.0, 1.0])
        np.testing.assert_array_equal(some, known)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cases_are_the_same_bit_for_bit_however_they_are_drawn(dtype):
    """A2: in any number of threads and in any batch, and each image has its own profile."""
    rng, shape = np.random.default_rng(4), (31, 38)
    psfs = [gaussian(2.2), moffat(2.9, 2.7), elliptical(2.5, 0.8, 20), empirical(gaussian(3.0).kernel())]
    x, y, flux = rng.uniform(-4, 40, (11, 4, 3)), rng.uniform(-4, 34, (11, 4, 3)), rng.uniform(0, 90, (11, 4, 3))
    images = render_cases(psfs, shape, x, y, flux, dtype)
    assert images.shape == (11, 4, *shape)
    assert images.dtype == dtype
    np.testing.assert_array_equal(render_cases(psfs, shape, x, y, flux, dtype, threads=3), images)
    np.testing.assert_array_equal(render_cases(psfs, shape, x[7:8], y[7:8], flux[7:8], dtype), images[7:8])
    np.testing.assert_array_equal(
        images[:, 1], render_cases([psfs[1]], shape, *(a[:, 1:2] for a in (x, y, flux)), dtype)[:, 0]
    )


def test_light_is_rounded_once():
    x, y, flux = np.array([[[9.2, 9.9, 11.3]]]), np.array([[[8.1, 8.8, 9.0]]]), np.array([[[1e5, 1.0, 1e-3]]])
    exact = render_cases([moffat(2.5, 3)], (21, 24), x, y, flux, np.float64)
    np.testing.assert_array_equal(render_cases([moffat(2.5, 3)], (21, 24), x, y, flux), exact.astype(np.float32))


def test_stamps_added_up_are_the_image():
    psf, rng = moffat(2.5, 3), np.random.default_rng(5)
    shape, n = (60, 71), 9
    x = rng.uniform(-8, 78, (n, 1)) + np.linspace(0, 4, 3)
    y, flux = rng.uniform(-8, 68, (n, 1)) + np.linspace(0, -2, 3), rng.uniform(10, 90, (n, 3))
    values, corner = stamps(psf, x, y, flux, threads=2)
    assert values.shape == (n, 2 * (psf.half_width() + 2) + 1, 2 * (psf.half_width() + 2) + 1)
    np.testing.assert_allclose(values.sum((1, 2)), flux.sum(1), rtol=1e-6)
    image = np.zeros(shape)
    assert add_stamps(image, values, corner) is image
    whole = render_cases([psf], shape, x[:, None], y[:, None], flux[:, None], np.float64).sum((0, 1))
    np.testing.assert_allclose(image, whole, atol=2e-6 * flux.max())


def test_stamps_of_a_given_size_and_of_none():
    values, corner = stamps(
        gaussian(2.5), [[10.4, 11.4], [np.nan, np.nan]], [[7.6, 7.6], [3.0, 3.0]], np.ones((2, 2)), 4
    )
    assert values.shape == (2, 9, 9)
    assert corner[0].tolist() == [4, 7]
    assert np.unravel_index(values[0].argmax(), (9, 9)) == (4, 4)
    assert not values[1].any()
    values, corner = stamps(gaussian(2.5), *(np.empty((0, 2)),) * 3)
    assert len(values) == len(corner) == 0


def test_arrays_that_do_not_fit_are_refused():
    good = np.zeros((2, 3, 1))
    with pytest.raises(ConfigError, match="for 1 images"):
        render_cases([gaussian(2)], (9, 9), good, good, good)
    with pytest.raises(ConfigError, match="shapes"):
        render_cases([gaussian(2)] * 3, (9, 9), good, good, good[:1])
    with pytest.raises(ConfigError, match="sources, nodes"):
        stamps(gaussian(2), good, good, good)


def test_the_table_of_the_integral():
    z = np.linspace(0, 7.99, 5003)
    i, f = np.divmod(z * compiled.STEPS, 1)
    cubic = compiled.NORMAL[i.astype(int)]
    assert abs((cubic * f[:, None] ** np.arange(4)).sum(1) - (ndtr(z) - 0.5)).max() < 1e-9


def test_the_loops_in_plain_python():
    """What is compiled is what is written: the same numbers come from the interpreter."""
    psfs = gaussian(1.5), elliptical(1.5, 0.7, 20), empirical(gaussian(1.5).kernel())
    x, y, flux = np.array([[4.2, 5.1, np.nan]]), np.array([[2.9, -3.0, 1.0]]), np.array([[2.0, 1.0, 1.0]])
    round_, slanted, table = psfs
    drawn = np.zeros((3, 1, 9, 8))
    plain = _Plain()
    plain.run(compiled.draw_round, drawn[0], x, y, flux, round_.weights, round_.widths, compiled.NORMAL)
    shape, heights = slanted._shape, slanted._heights
    plain.run(compiled_slanted.draw_slanted, drawn[1], x, y, flux, slanted.weights, slanted.widths, shape, heights,
              compiled.NORMAL)  # fmt: skip
    plain.run(compiled_sampled.draw_sampled, drawn[2], x, y, flux, table._spline, table.step_px)
    for psf, image in zip(psfs, drawn, strict=True):
        expected = render_cases([psf], (9, 8), x[None], y[None], flux[None], np.float64)[0]
        np.testing.assert_allclose(image, expected, rtol=1e-12, atol=1e-18)


class _Plain:
    """Runs compiled functions as they are written, and with them those that they call."""

    def run(self, function, *arguments):
        with pytest.MonkeyPatch.context() as patch:
            for module in (compiled, compiled_sampled, compiled_slanted):
                for name, value in list(vars(module).items()):
                    if hasattr(value, "py_func"):
                        patch.setattr(module, name, value.py_func)
            function.py_func(*arguments)
