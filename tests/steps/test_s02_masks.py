"""Step 02 on real and made-up plates."""

import re

import numpy as np
import pytest
from astropy.io import fits as afits
from tests.fakesky import FakeSky
from tests.plate_scene import header, line, plate

from lostlight.core.errors import BadImage, NoWCS, RemoteError
from lostlight.core.params import MasksParams
from lostlight.core.step import Outputs, Unit
from lostlight.io import fits
from lostlight.science.plate.wcs import sky_to_pix, sky_wcs
from lostlight.sim.server import serve
from lostlight.sim.sky import Sky
from lostlight.steps.s02_masks import masks
from lostlight.vocab import bits

ROLES = {"clean": "t.clean.fits", "mask": "t.mask.fits", "regions": "t.reg"}


def run(folder, image, cards=None, **knobs):
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(image, np.ndarray):
        fits.write_image(folder / "image.fits", image, cards if cards is not None else header(image.shape))
        image = folder / "image.fits"
    out = Outputs({role: folder / name for role, name in ROLES.items()})
    return masks(Unit("t", {"image": image}), MasksParams(**knobs), out), out


def scene(seed=1):
    rng = np.random.default_rng(seed)
    stars = [
        (100, 120, 2e4),
        *zip(rng.uniform(5, 450, 80), rng.uniform(5, 395, 80), 10 ** rng.uniform(0, 2, 80), strict=True),
    ]
    image = plate(stars, seed=seed)
    line(image, 150, 30, 440, 380, 2500)
    image = np.rint(image).astype(np.int16)
    image[:, 420:] = 0
    image[300, 50] = 30000
    return image


def test_every_class_is_marked(tmp_path):
    result, out = run(tmp_path, scene())
    mask = fits.read_mask(out["mask"])

    def has(y, x, *names):
        return (mask[y, x] & bits.mask(*names)) != 0

    assert has(120, 100, "SATURATED") and has(120, 100, "BRIGHT_STAR")
    assert has(200, 430, "BLANK") and not has(200, 430, "EDGE")
    assert has(200, 415, "EDGE") and has(3, 200, "EDGE") and not has(200, 395, "EDGE")
    assert has(205, 295, "TRAIL")
    assert has(300, 50, "DEFECT")
    clean, _ = fits.read_image(out["clean"])
    assert abs(clean[300, 50] - 3900) < 1000
    assert abs(clean[200, 430] - 3900) < 200
    for bit in bits.MASK:
        share = ((mask & bit.value) != 0).mean()
        assert result.metrics[f"masked_{bit.name.lower()}"] == pytest.approx(share, abs=1e-6)


def test_headers_and_regions_explain(tmp_path):
    result, out = run(tmp_path, scene())
    cards = afits.getheader(out["mask"])
    assert cards["SATURATE"] == result.metrics["saturation_adu"]
    assert [cards[f"MBIT_{n}"] for n in range(len(bits.MASK))] == [bit.name for bit in bits.MASK]
    assert cards["CRVAL1"] == 150.0
    assert afits.getheader(out["clean"])["BITPIX"] == 16
    text = out["regions"].read_text()
    circle = re.search(r"circle\(([\d.]+),([\d.]+),([\d.]+)\) # color=red", text)
    assert (float(circle[1]), float(circle[2])) == pytest.approx((101, 121), abs=1)  # DS9 counts from one
    assert "tag={TRAIL}" in text
    assert out.sizes["regions"] == [text.count("\n") - 3]


def test_the_same_bytes_again(tmp_path):
    contents = [[run(tmp_path / name, scene())[1][role].read_bytes() for role in ROLES] for name in ("one", "two")]
    assert contents[0] == contents[1]


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_blank_images_are_refused(tmp_path, value):
    with pytest.raises(BadImage, match=r"blank|NaN"):
        run(tmp_path, np.full((200, 230), value, np.float32))


def test_an_image_without_sky_is_refused(tmp_path):
    with pytest.raises(NoWCS):
        run(tmp_path, scene(), afits.Header())


def test_widths_follow_the_pixel_scale(tmp_path):
    image = plate([], shape=(301, 343), seed=2)
    edges = {}
    for scale in (1.7, 0.85):
        _, out = run(tmp_path / str(scale), image, header(image.shape, scale))
        edges[scale] = int(((fits.read_mask(out["mask"])[150] & bits.mask("EDGE")) != 0)[:170].sum())
    assert edges == {1.7: 16, 0.85: 32}


def test_the_real_plate(tmp_path, shared_data):
    result, out = run(tmp_path, shared_data / "dss1-m67" / "M6707HH.fits.gz")
    mask = fits.read_mask(out["mask"])
    assert (mask[700:711, 273:284] & bits.mask("BRIGHT_STAR")).all()
    assert result.metrics["masked_any"] < 0.2
    assert result.metrics["n_trails"] == 0
    assert result.metrics["n_flaws"] == 0
    assert 11800 < result.metrics["saturation_adu"] < 12900


def test_bright_stars_from_a_catalogue_at_the_epoch_of_the_plate(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSTLIGHT_CACHE", str(tmp_path / "cache"))
    sky, image = FakeSky(), plate([], shape=(801, 843), seed=3)
    cards = header(image.shape)
    with serve(sky) as server:
        _, out = run(tmp_path, image, cards, bright_stars="usnob", url=server.base_url)
    text = out["regions"].read_text()
    found = {(float(x), float(y)) for x, y in re.findall(r"circle\(([-\d.]+),([-\d.]+),[\d.]+\) # color=red", text)}
    stars = sky.stars[sky.stars["R1mag"] < 12.4]
    years = 1953.025 - 2000
    dec = stars["DEJ2000"] + stars["pmDE"] * years / 3.6e6
    ra = stars["RAJ2000"] + stars["pmRA"] * years / 3.6e6 / np.cos(np.radians(dec))
    x, y = sky_to_pix(sky_wcs(cards), np.asarray(ra), np.asarray(dec))
    near = (np.abs(x - 421) < 400) & (np.abs(y - 400) < 380)
    assert near.sum() > 5
    for one in zip(x[near] + 1, y[near] + 1, strict=True):
        assert min(np.hypot(one[0] - a, one[1] - b) for a, b in found) < 0.05


def test_no_catalogue_no_mask(tmp_path, monkeypatch):
    """A mask without its bright stars would look like a clean one."""
    monkeypatch.setenv("LOSTLIGHT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(RemoteError):
        run(tmp_path, plate([], shape=(101, 143), seed=3), bright_stars="gaia", offline=True)


def test_a_simulated_tile(tmp_path):
    image, cards = Sky(20).cutout(150, 20, 60, 60)
    result, _ = run(tmp_path, image, cards)
    assert result.metrics["masked_any"] < 0.15
    assert result.metrics["n_trails"] >= 1
