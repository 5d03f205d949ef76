import numpy as np
import pytest

from lostlight.core.errors import ConfigError
from lostlight.science.inject import seeds


def test_a_hundred_thousand_cases_share_no_stream():
    """A2: keys of cases, kinds and stages are all different."""
    keys = {
        seeds.spawn_key(stage, case, kind)
        for stage in ("inject", "batch", "plan")
        for case in range(4200)
        for kind in seeds.KINDS
    }
    assert len(keys) == 3 * 4200 * len(seeds.KINDS) > 100_000


def test_streams_of_different_seeds_and_cases_start_differently():
    first = {
        seeds.stream(seed, "batch", case, kind).integers(2**63)
        for seed in range(6)
        for case in range(6)
        for kind in ("prior", "prior:tno", "place")
    }
    assert len(first) == 6 * 6 * 3


def test_a_stream_is_that_of_numpys_seed_sequence():
    key = seeds.spawn_key("plan", 3, "photons")
    theirs = np.random.Generator(np.random.Philox(np.random.SeedSequence(7, spawn_key=key)))
    assert seeds.stream(7, "plan", 3, "photons").random() == theirs.random()
    assert seeds.record(7, "plan", 3)["spawn_key"]["photons"] == list(key)


def test_streams_go_on_and_do_not_start_anew():
    rng_of = seeds.streams(1, "plan", 0)
    assert rng_of("place").random() != rng_of("place").random()
    assert rng_of("place") is not rng_of("prior")


@pytest.mark.parametrize("seed", [-1, 1.5, "3", True, None])
def test_seeds_that_are_none(seed):
    with pytest.raises(ConfigError, match="seed"):
        seeds.checked(seed)


def test_a_seed_of_the_system_can_be_given_again():
    seed = seeds.fresh()
    assert seeds.checked(seed) == seed != seeds.fresh()


def test_what_cannot_be_drawn():
    with pytest.raises(ConfigError, match="colour"):
        seeds.stream(1, "plan", 0, "colour")
    with pytest.raises(ConfigError, match="negative"):
        seeds.stream(1, "plan", -1, "place")
