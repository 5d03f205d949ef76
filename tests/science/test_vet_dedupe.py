import csv
import gzip
import io

import numpy as np
import pytest
from astropy.table import Table

from lostlight.science.vet import dedupe, ledger
from lostlight.vocab import bits


def rows(path):
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    return list(csv.DictReader(io.StringIO(text)))


def published(shared_data, name):
    return rows(shared_data / "vasco-release" / name)


def test_published_release_loses_the_same_rows(shared_data):
    before = published(shared_data, "source_extractor_final_filtered.csv.gz")
    after = {row["src_id"] for row in published(shared_data, "source_extractor_final_filtered__dedup.csv.gz")}
    assert (len(before), len(after)) == (15322, 15303)
    src_id = np.array([row["src_id"] for row in before])
    repeated = dedupe.duplicates(
        [float(row["ra"]) for row in before],
        [float(row["dec"]) for row in before],
        [row["plate_id"] for row in before],
        np.argsort(np.argsort(src_id)),
    )
    assert set(src_id[~repeated]) == after


STAGES = (
    ("stage_S0M_MORPH_flags.csv.gz", lambda row: row["reject_flag"] == "0", 15303, 9534, "stage_S0M_MORPH.csv.gz"),
    ("stage_S0S_SHAPE_flags.csv.gz", lambda row: row["reject_flag"] == "0", 9534, 639, "stage_S0S_SHAPE.csv.gz"),
    ("stage_S1_GSC_flags.csv", lambda row: row["has_gsc_match"] == "0", 639, 585, "stage_S1_GSC.csv"),
    ("stage_S2_SKYBOT_flags.csv.gz", lambda row: row["has_skybot_match"] == "False", 585, 585, "stage_S2_SKYBOT.csv"),
    ("stage_S3_SCOS_flags.csv", lambda row: row["has_supercosmos_match"] == "1", 585, 510, "stage_S3_SCOS.csv"),
    ("stage_S4_PTF_flags.csv", lambda row: row["has_ptf_match_ngood"] == "0", 510, 495, "stage_S4_PTF.csv"),
    ("stage_S5_VSX_flags.csv", lambda row: row["is_known_variable_or_transient"] == "0", 495, 495, "stage_S5_VSX.csv"),
    ("stage_S6_SCOPE_DEC_flags.csv", lambda row: row["is_rejected"] == "0", 495, 440, "stage_S6_SCOPE_DEC.csv"),
)


def test_published_stages_follow_from_their_flags(shared_data):
    """Each stage's verdicts, as bits of one column over all rows, leave the published numbers and the same rows."""
    start = published(shared_data, "stage_S0.csv.gz")
    place = {row["src_id"]: k for k, row in enumerate(start)}
    names = [bit.name for bit in bits.FILTER if bit.name not in bits.LABELS][: len(STAGES)]
    flags = np.zeros(len(start), np.int64)
    for name, (table, keeps, _, _, kept) in zip(names, STAGES, strict=True):
        for row in published(shared_data, f"stages/{table}"):
            if not keeps(row):
                flags[place[row["src_id"]]] |= bits.filters(name)
        left = {row["src_id"] for row in start if ledger.survives(flags[[place[row["src_id"]]]])[0]}
        assert left == {row["src_id"] for row in published(shared_data, f"stages/{kept}")}, kept
    counted = {cut["name"]: cut for cut in ledger.count(flags)["cuts"]}
    assert [counted[name]["n_left"] for name in names] == [stage[3] for stage in STAGES]
    assert ledger.count(flags)["n_survivors"] == 440


@pytest.mark.parametrize("seed", range(3))
def test_order_of_rows_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(359.997, 360.003, 300) % 360, 80 + rng.uniform(-5e-4, 5e-4, 300)
    plate = rng.choice(["XE1", "XE2"], 300)
    rank = rng.permutation(300)
    shuffle = rng.permutation(300)
    repeated = dedupe.duplicates(ra, dec, plate, rank, 0.25)
    assert 20 < repeated.sum() < 280
    again = dedupe.duplicates(ra[shuffle], dec[shuffle], plate[shuffle], rank[shuffle], 0.25)
    assert np.array_equal(repeated[shuffle], again)


def flagged(**values):
    n = len(values["ra_deg"])
    table = Table({
        "src_id": [f"t:{k}" for k in range(n)], "plate_id": ["XE1"] * n, "edge_distance_px": np.full(n, 100.0),
        "flags": np.zeros(n, int), "n_plates": np.ones(n, int), "reason": ["no lasting counterpart in usnob"] * n,
    } | values)  # fmt: skip
    for axis in ("ra", "dec"):
        table[f"{axis}_plate_deg"] = values.get(f"{axis}_plate_deg", table[f"{axis}_deg"])
    return table


ARCSEC = 1 / 3600


def test_overlapping_tiles_give_one_row_and_overlapping_plates_give_evidence():
    table = flagged(
        ra_deg=[10.0, 10.0, 10.0, 20.0], dec_deg=[0, 0.1 * ARCSEC, 1 * ARCSEC, 0],
        plate_id=["XE1", "XE1", "XE2", "XE2"],
    )  # fmt: skip
    result = dedupe.across_tiles(table)
    assert list(ledger.survives(result["flags"])) == [True, False, True, True]
    assert list(result["n_plates"]) == [2, 2, 2, 1]
    assert list(result["reason"]) == [
        "no lasting counterpart in usnob; OTHER_PLATE", "DUPLICATE; OTHER_PLATE",
        "no lasting counterpart in usnob; OTHER_PLATE", "no lasting counterpart in usnob",
    ]  # fmt: skip
    assert np.all(table["flags"] == 0), "the input is not changed"


def test_a_match_in_one_tile_holds_in_the_overlapping_one():
    table = flagged(ra_deg=[10.0, 10.0], dec_deg=[0.0, 0.0], flags=[0, bits.filters("MATCHED", "SNR")])
    assert not ledger.survives(dedupe.across_tiles(table)["flags"]).any()


def test_the_row_away_from_the_edge_stays():
    table = flagged(
        ra_deg=[10.0, 10.0, 10.0], dec_deg=[0.0, 0.0, 0.0],
        flags=[bits.filters("MASKED"), 0, 0], edge_distance_px=[900.0, 5.0, 50.0],
    )  # fmt: skip
    assert list(ledger.survives(dedupe.across_tiles(table)["flags"])) == [False, False, True]


def test_duplicates_are_found_by_the_plate_solution():
    """Each tile has its own astrometric correction; the plate solution is what overlapping tiles share."""
    table = flagged(ra_deg=[10.0, 10.0], dec_deg=[0.0, 0.6 * ARCSEC], dec_plate_deg=[0.0, 0.0])
    assert ledger.survives(dedupe.across_tiles(table)["flags"]).sum() == 1


def test_no_rows():
    assert len(dedupe.across_tiles(flagged(ra_deg=[], dec_deg=[])[:0])) == 0
