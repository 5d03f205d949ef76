"""A small calibration with everything a report tells: masters, a map, lights good and bad, warnings, a plan."""

from dataclasses import dataclass

import numpy as np

from lostlight.report import calibration
from lostlight.report.calibration_pictures import draw
from lostlight.science.calibrate import frame_checks
from lostlight.science.calibrate.diagnostics import Source, unit_record
from lostlight.science.calibrate.flat_checks import analyse_flat, flat_warnings
from lostlight.science.calibrate.over_correction import correction, wrong_correction
from lostlight.science.calibrate.planes import Planes
from lostlight.science.calibrate.statistics import statistics
from lostlight.science.calibrate.trouble import warn
from lostlight.vocab import bits

SHAPE = (301, 403)
GAIN, READ_NOISE_E = 1.5, 9.0
STACK = {"combine": "mean", "reject": "noise_model", "low": 4.0, "high": 4.0, "weights": "none", "minkeep": 3}


@dataclass
class Scene:
    """Arrays that a calibration of this camera would meet."""

    seed: int = 3
    shape: tuple[int, int] = SHAPE

    def __post_init__(self):
        self.rng = np.random.default_rng(self.seed)
        ny, nx = self.shape
        y, x = np.mgrid[:ny, :nx]
        self.x, self.y = 2 * x / (nx - 1) - 1, 2 * y / (ny - 1) - 1
        self.hot = self.rng.random(self.shape) < 5e-4
        self.vignetting = 1 - 0.17 * (self.x**2 + self.y**2) + 0.01 * self.x
        for cx, cy, r, depth in ((80, 70, 12, 0.06), (300, 200, 20, 0.03), (200, 260, 9, 0.1)):
            away = np.hypot(x - cx, y - cy)
            self.vignetting *= 1 - depth * (away < r) * (away > 0.3 * r)

    def noisy(self, electrons):
        return (self.rng.poisson(np.maximum(electrons, 0)) + self.rng.normal(0, READ_NOISE_E, self.shape)) / GAIN

    def biases(self, n):
        pattern = self.rng.normal(0, 1.5, self.shape)
        return [500 + pattern + self.noisy(np.zeros(self.shape)) for _ in range(n)]

    def darks(self, n):
        level = 12 * GAIN + 900 * GAIN * self.hot + 60 * np.exp(-((self.x - 1) ** 2 + (self.y - 1) ** 2) / 0.3)
        return [500 + self.noisy(level) for _ in range(n)]

    def flats(self, n):
        return [self.noisy(22000 * GAIN * self.vignetting) for _ in range(n)]

    def sky(self, level=900, n_stars=120):
        ny, nx = self.shape
        y, x = np.mgrid[:ny, :nx]
        image = np.full(self.shape, float(level))
        for _ in range(n_stars):
            flux, cx, cy = 10 ** self.rng.uniform(3, 5.3), self.rng.uniform(0, nx), self.rng.uniform(0, ny)
            image += flux / (2 * np.pi * 1.6**2) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 1.6**2))
        return image


def combined(frames, model_adu):
    """Mean of frames as the pipeline gives it, with a few samples rejected."""
    cube = np.stack(frames)
    n = len(frames)
    low, high = np.zeros((2, *cube.shape[1:]), np.uint8)
    struck = np.random.default_rng(1).random(cube.shape[1:])
    high[struck > 0.99], low[struck < 0.002] = 1, 1
    uncert = np.full(cube.shape[1:], model_adu / np.sqrt(n), np.float32)
    extra = {"NUSED": (n - low - high).astype(np.uint16), "REJLOW": low, "REJHIGH": high}
    planes = Planes(cube.mean(axis=0).astype(np.float32), uncert, np.zeros(cube.shape[1:], np.uint16), extra)
    return planes, (cube.std(axis=0, ddof=1) / np.sqrt(n)).astype(np.float32)


def sources(kind, frames, odd=()):
    return [
        Source(f"{kind}_{k:03d}", f"raw/{kind}_{k:03d}.fits", f"{k:064x}", kind, statistics(frame), 1.0, 0.998,
               ("level",) if k in odd else ())
        for k, frame in enumerate(frames)
    ]  # fmt: skip


def masters(scene, n=7):
    """Records and pictures of a bias, a dark and a flat."""
    records, pictures = [], {}
    biases, darks, flats = scene.biases(n), scene.darks(n), scene.flats(n)
    biases[3] = biases[3] + 40
    for kind, name, frames, model in (
        ("bias", "master_bias_g100_o50", biases, READ_NOISE_E / GAIN),
        ("dark", "master_dark_300s_-10C_g100", darks, np.hypot(READ_NOISE_E, 4) / GAIN * 1.25),
    ):
        planes, empirical = combined(frames, model)
        used = sources(kind, frames, (3,) if kind == "bias" else ())
        levels, noise = {s.id: s.stats.median for s in used}, {s.id: s.stats.noise for s in used}
        heard = frame_checks.level_outliers(levels, noise) + frame_checks.noise_outliers(noise)
        heard += frame_checks.wrong_noise(
            name, frame_checks.noise_ratio(planes.uncert, empirical, planes.extra["NUSED"])
        )
        records.append(
            unit_record(kind, name, planes, sources=used, method=STACK, empirical=empirical, warnings=heard,
                        facts={"exptime_s": 0.0 if kind == "bias" else 300.0, "ccd_temp_c": -10.1, "gain": 100})
        )  # fmt: skip
        pictures |= draw(records[-1], planes.data, planes.dq, planes.extra)
    level = 22000.0
    planes, empirical = combined([flat / np.median(flat) for flat in flats], np.sqrt(level / GAIN) / level)
    name = "master_flat_Ha_2026-01-02"
    analysis = analyse_flat(planes.data, planes.uncert, planes.dq, level=0.34, shape_changes={"flat_000": 0.0007})
    records.append(
        unit_record("flat", name, planes, unit="", sources=sources("flat", flats), method=STACK, empirical=empirical,
                    masters={"bias": records[0]["id"]}, flat=analysis, warnings=flat_warnings(name, analysis))
    )  # fmt: skip
    pictures |= draw(records[-1], planes.data, planes.dq, planes.extra)
    return records, pictures, planes


def report(n_lights=3, n_pictured=3, seed=3):
    """Give a report and its pictures."""
    scene = Scene(seed)
    units, pictures, flat = masters(scene)
    used = {"dark": units[1]["id"], "flat": units[2]["id"], "bpm": "bpm_zwo"}
    marks = np.where(scene.hot, bits.dq("HOT"), 0).astype(np.uint16)
    marks[40:44, 200:260] |= bits.dq("BAD")
    units.append(
        unit_record("bpm", "bpm_zwo", Planes(marks.astype(np.float32), None, marks), unit="", facts={"version": 2})
    )
    pictures |= draw(units[-1], marks)
    for k in range(n_lights):
        made, drawn = _light(scene, flat, used, k, k < n_pictured)
        units.append(made)
        pictures |= drawn
    groups = [{"id": unit["id"], "kind": unit["kind"], "n_frames": len(unit["inputs"])} for unit in units[:3]]
    return (
        calibration.build(
            units, groups=groups, matches=_matches(used), params={"dark": {"mode": "scaled"}, "light": {"unit": "adu"}},
            software={"lostlight": "0.1.0", "numpy": "2.3.1"},
            outputs=[("11_calibrate/products/light_000.fits", "ab" * 32)],
            warnings=[warn("CAL218", "light_001", "no EGAIN in the header").plain()],
        ),
        pictures,
    )  # fmt: skip


def _light(scene, flat, used, k, is_pictured):
    name = f"light_{k:03d}"
    small = k >= 3
    shape = np.s_[:40, :50] if small else np.s_[:, :]
    raw = scene.noisy((scene.sky(n_stars=5 if small else 120) * scene.vignetting + 100 * (k == 1)) * GAIN)[shape] + 512
    data = ((raw - 512) / flat.data[shape]).astype(np.float32)
    dq = np.where(scene.hot, bits.dq("HOT", "INTERPOLATED"), 0).astype(np.uint16)
    dq[100:103, 150:170] |= bits.dq("COSMIC")
    found = correction(data, flat.data[shape])
    record = unit_record(
        "light", name, Planes(data, np.sqrt(np.maximum(data, 1)), dq[shape]), masters=used, before=statistics(raw),
        scale=(1.02 + 0.01 * k, 0.004), correction=found, warnings=wrong_correction(name, used["flat"], found),
        facts={"filter": "Ha", "exptime_s": 300.0},
    )  # fmt: skip
    return record, draw(record, data, dq[shape], before=raw) if is_pictured else {}


def _matches(used):
    terms = {"temperature": 0.4, "exposure": 0.0, "days": 0.1}
    other = {"id": "master_dark_120s_-10C_g100", "distance": 46.3, "reason": "exposure 120 s instead of 300 s"}
    return [
        {"target": "light_M51_Ha_300s", "role": "dark", "chosen": used["dark"], "distance": 0.41, "verdict": "good",
         "reason": "same exposure, 0.4 °C apart, the same night", "terms": terms,
         "candidates": [{**other, "terms": terms}]},
        {"target": "light_M51_Ha_300s", "role": "flat", "chosen": used["flat"], "distance": 0.2, "verdict": "good",
         "reason": "same filter and rotator, the same night"},
        {"target": used["flat"], "role": "flat_dark", "reason": "none was taken; the bias is used"},
    ]  # fmt: skip
