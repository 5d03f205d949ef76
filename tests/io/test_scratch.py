"""Arrays for a while: in memory or in a file that no one sees, with the same values either way."""

import numpy as np
import pytest

from lostlight.io.scratch import release, scratch


@pytest.mark.parametrize("small", [0, 1 << 20])
def test_it_holds_what_is_put_into_it(tmp_path, small):
    plane = scratch((3, 17, 29), np.float32, tmp_path, small)

    assert plane.shape == (3, 17, 29) and plane.dtype == np.float32 and not plane.any()
    values = np.random.default_rng(1).normal(size=plane.shape).astype(np.float32)
    plane[:, :9] = values[:, :9]
    release(plane)
    plane[:, 9:] = values[:, 9:]
    release(plane[1:])

    np.testing.assert_array_equal(plane, values)
    assert isinstance(plane, np.memmap) == (small == 0)
    assert not list(tmp_path.iterdir())


def test_other_arrays_are_left_alone(tmp_path):
    np.zeros(9, np.float32).tofile(tmp_path / "a")
    private = np.memmap(tmp_path / "a", np.float32, "c")
    private[:] = 7
    plain = np.ones((3, 5))

    release(private)
    release(plain[1:])

    assert (private == 7).all() and (plain == 1).all()


def test_it_may_hold_nothing(tmp_path):
    assert scratch((0, 5), np.uint16, tmp_path, 0).shape == (0, 5)


def test_a_disk_without_room_is_told_at_once(tmp_path):
    with pytest.raises(OSError):
        scratch((1 << 20, 1 << 30), np.float64, tmp_path, 0)  # 8 PiB
