"""Metrics and planes of a mosaic as the step tells them: gains and levels that differ, a few bad frames, warnings."""

from itertools import combinations

import numpy as np

from lostlight.core import mosaic_report
from lostlight.report import mosaic_pictures

NOISE = 5.0
WCS = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 275.2, "CRVAL2": -16.2, "CRPIX1": 700.5, "CRPIX2": 500.5,
       "CD1_1": -2.8e-4, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 2.8e-4}  # fmt: skip
REASONS = ("stars 1.9 times as wide as the median", "0.2 of the stars of the median frame", "TooFewStars: 3, not 8")


def metrics(n_frames=24, *, mode="sds", n_rejected=2, n_channels=1, columns=4, tile_px=(300, 400), overlap=0.2, **more):
    """Give the content of ``metrics.json`` of a mosaic of this many frames on a grid of pointings."""
    rng = np.random.default_rng(n_frames)
    shape, boxes = places(n_frames, columns, tile_px, overlap)
    frames = [_frame(k, box, rng, n_channels) for k, box in enumerate(boxes)]
    for k, frame in enumerate(frames[n_frames - n_rejected :]):
        failed = k % 3 == 2
        frame.update(status="failed" if failed else "rejected", reason=REASONS[k % 3], weight=())
        frame["fwhm_px"] = 2.7 if k % 3 else 5.1
        if failed:
            frame.update(gain=(), sky=(), sigma=(), outline=(), fwhm_px=None, elongation=None, n_stars=3)
    used = [frame for frame in frames if frame["status"] == "used"]
    lots = _lots(used, n_channels, shape) if mode != "stack" else ()
    crop = (12, 16, shape[0] - 30, shape[1] - 32) if used else None
    known = {
        "mode": mode, "n_channels": n_channels, "unit": "adu", "name": "mosaic",
        "canvas": {"shape": shape, "scale_arcsec": 1.02, "crop": crop, "is_sky": True, "wcs": WCS,
                   "covered_px": int(0.9 * np.prod(shape))},
        "lots": lots, "reference": {"index": 3, "id": frames[3]["id"], "rule": "auto"} if len(frames) > 3 else {},
        "photometry": _photometry(used, rng), "components": 1,
        "inter_tile_median_std": {"before": (143.2,) * n_channels, "after": (0.31,) * n_channels} if used else {},
        "combine": {"n_samples": 30_512_441, "rejected_fraction": 2.1e-3, "low": 2e-4, "high": 1.9e-3} if used else {},
        "polish": _polish(crop) if used else {},
        "coverage": {"min": 1, "median": 2, "max": 7} if used else {},
        "weight": {"min": 0.004, "median": 0.08, "max": 0.27} if used else {},
        "software": {"astropy": "7.1.0", "lostlight": "0.1.0", "numpy": "2.3.1"},
        "params": {"mode": mode, "photometry": {"method": "overlap", "sky_order": 1}},
        "warnings": [
            {"code": "MOS204", "where": frames[0]["id"], "said": "only 31 stars are shared with the others",
             "value": 31, "threshold": 50, "hint": "more overlap ties it better"},
        ] if used else (),
    }  # fmt: skip
    return mosaic_report.build(frames, **{**known, **more})


def places(n_frames, columns, tile_px, overlap):
    """Give the shape of the canvas and a box (y0, x0, height, width) of every frame on it, a little off its grid."""
    rng = np.random.default_rng(7)
    height, width = tile_px
    step_y, step_x = (int(side * (1 - overlap)) for side in tile_px)
    n_cells = max(min(n_frames, columns * columns), 1)
    rows = -(-n_cells // columns)
    boxes = [
        (20 + (k % n_cells) // columns * step_y + int(rng.integers(-9, 10)),
         20 + (k % n_cells) % columns * step_x + int(rng.integers(-9, 10)), height, width)
        for k in range(n_frames)
    ]  # fmt: skip
    return (40 + (rows - 1) * step_y + height, 40 + (min(columns, n_cells) - 1) * step_x + width), boxes


def planes(told, seed=1):
    """Give SCI and what it would be unlevelled, shape (C, H, W), COV and WHT, as cropped: stars, nebula, seams."""
    rng = np.random.default_rng(seed)
    ny, nx = told["canvas"]["shape"]
    y, x = np.mgrid[:ny, :nx]
    nebula = 90 * np.exp(-(((x - 0.55 * nx) / (0.22 * nx)) ** 2) - ((y - 0.5 * ny) / (0.3 * ny)) ** 2)
    nebula += 60 * np.exp(-(((x - 0.3 * nx) / (0.1 * nx)) ** 2) - ((y - 0.7 * ny) / (0.12 * ny)) ** 2)
    sky = np.stack([300 + (1 - 0.25 * c) * nebula for c in range(told["n_channels"])])
    for _ in range(ny * nx // 1500):
        cx, cy = int(rng.uniform(8, nx - 8)), int(rng.uniform(8, ny - 8))
        flux = min(10 ** rng.exponential(0.55) * 150, 2e5)
        part = np.s_[max(cy - 8, 0) : cy + 9, max(cx - 8, 0) : cx + 9]
        psf = np.exp(-((x[part] - cx) ** 2 + (y[part] - cy) ** 2) / 2.5)
        sky[(slice(None), *part)] += flux * psf / 8 * rng.uniform(0.6, 1, (len(sky), 1, 1))
    cov, level = np.zeros((ny, nx), np.uint16), np.zeros((ny, nx))
    for frame in told["frames"]:
        if frame["status"] == "used":
            (x0, y0), (x1, y1) = frame["outline"][0], frame["outline"][2]
            part = np.s_[int(y0) : int(y1), int(x0) : int(x1)]
            cov[part] += 1
            level[part] += frame["sky"][0][0]
    known = cov > 0
    wht = np.where(known, cov / NOISE**2, 0).astype(np.float32)
    noise = rng.normal(0, NOISE, sky.shape) / np.sqrt(np.maximum(cov, 1))
    after = np.where(known, sky + noise, np.nan).astype(np.float32)
    before = (after + level / np.maximum(cov, 1)).astype(np.float32)
    y0, x0, height, width = told["canvas"]["crop"]
    part = np.s_[..., y0 : y0 + height, x0 : x0 + width]
    return after[part], before[part], cov[part], wht[part]


def pictures(told, seed=1):
    """Give the pictures of the page."""
    after, before, cov, wht = planes(told, seed)
    old, new = mosaic_pictures.before_after(before, after)
    return {
        "preview": mosaic_pictures.png(after, mosaic_pictures.PAGE_PX), "before": old, "after": new,
        "coverage": mosaic_pictures.coverage(cov), "weight": mosaic_pictures.weight(wht),
    }  # fmt: skip


def _frame(k, box, rng, n_channels):
    y0, x0, height, width = box
    gain = float(np.exp(rng.normal(0, 0.12)))
    return {
        "status": "used", "id": f"light_{k:03d}", "path": f"11_calibrate/products/light_{k:03d}.fits",
        "lot": f"lot_{k // 8:02d}",
        "gain": tuple(gain * (1 + 0.01 * c) for c in range(n_channels)), "gain_sigma": (0.0012,) * n_channels,
        "sky": ((float(rng.uniform(-150, 150)), float(rng.normal(0, 4)), float(rng.normal(0, 4))),) * n_channels,
        "sigma": (NOISE * gain,) * n_channels, "fwhm_px": float(rng.normal(2.7, 0.15)), "exptime_s": 120.0,
        "elongation": float(1.05 + 0.1 * rng.random()), "n_stars": int(rng.integers(200, 400)),
        "weight": (float(rng.uniform(0.6, 1)) / NOISE**2,) * n_channels,
        "outline": ((x0, y0), (x0 + width, y0), (x0 + width, y0 + height), (x0, y0 + height)),
    }  # fmt: skip


def _lots(frames, n_channels, shape):
    names = sorted({frame["lot"] for frame in frames})
    lots = []
    for k, name in enumerate(names):
        corners = np.concatenate([frame["outline"] for frame in frames if frame["lot"] == name])
        (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
        window = (int(y0), int(x0), int(y1 - y0), int(x1 - x0))
        lots.append({
            "id": name, "n": sum(frame["lot"] == name for frame in frames), "window": window,
            "coverage": float(window[2] * window[3] / np.prod(shape)), "gain": (1.0 + 0.021 * k,) * n_channels,
            "offset": (30.0 * k - 41.7,) * n_channels, "median_before": (1012.4 + 31 * k,) * n_channels,
            "median_after": (1003.1 + 0.1 * k,) * n_channels, "n_rejected": 12041 + k, "rejected_fraction": 0.0021,
        })  # fmt: skip
    return lots


def _photometry(frames, rng):
    pairs = []
    for one, other in combinations(frames, 2):
        (ax0, ay0), (ax1, ay1) = one["outline"][0], one["outline"][2]
        (bx0, by0), (bx1, by1) = other["outline"][0], other["outline"][2]
        pixels = max(min(ax1, bx1) - max(ax0, bx0), 0) * max(min(ay1, by1) - max(ay0, by0), 0)
        if pixels > 400:
            left = float(rng.normal(0, 0.12))
            before = one["sky"][0][0] - other["sky"][0][0]
            pairs.append({"a": one["id"], "b": other["id"], "pixels": int(pixels), "before": before, "after": left,
                          "sigma": left / NOISE})  # fmt: skip
    sigmas = np.array([pair["sigma"] for pair in pairs])
    residual = {"max": float(abs(sigmas).max()), "rms": float(np.sqrt((sigmas**2).mean()))} if pairs else {}
    shown = sorted(pairs, key=lambda pair: -abs(pair["sigma"]))[:2000]
    return {
        "stars_used": 1843 if pairs else 0, "gain_sigma": (0.0012,) if pairs else (),
        "overlap_residual_sigma": residual,
        "overlap_pixels": sum(pair["pixels"] for pair in pairs), "n_pairs": len(pairs), "pairs": shown,
    }  # fmt: skip


def _polish(crop):
    steps = (("coverage cut", 8123, {"min_rel": 0.15}), ("ragged edges", 2210, {"open_px": 3, "erode_px": 2}),
             ("noisy borders", 0, {}), ("crop", 51230, {"mode": "bbox"}))  # fmt: skip
    told = [{"name": name, "changed_px": n, "facts": facts} for name, n, facts in steps]
    return {"cut_px": 8123, "altaz_px": 2210, "crop": crop, "steps": told}
