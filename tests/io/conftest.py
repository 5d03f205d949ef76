"""Clients under test ask without pauses and keep a cache of their own."""

import pytest
import stamina


@pytest.fixture(autouse=True)
def _no_pauses():
    with stamina.set_testing(True, attempts=6, cap=True):
        yield


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("LOSTLIGHT_CACHE", str(folder))
    return folder
