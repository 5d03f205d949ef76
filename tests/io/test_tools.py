"""Programs and their native files: where they are not, the message says what to do."""

import pytest

from lostlight.core.errors import ConfigError
from lostlight.io import tools


def test_native_files_come_from_the_project(project):
    assert tools.config_file("psfex/tile.psfex") == project / "config" / "psfex" / "tile.psfex"


def test_without_a_checkout_the_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(tools, "_CONFIG", tmp_path)
    with pytest.raises(ConfigError, match=r"tile\.psfex is not there") as caught:
        tools.config_file("psfex/tile.psfex")
    assert "embedded" in caught.value.hint
