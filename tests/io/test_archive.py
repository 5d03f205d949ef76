import os
import subprocess
import time
import zipfile

import pytest

from lostlight.core.errors import ContractError
from lostlight.io import archive


@pytest.fixture
def members(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("ra,dec\n1,2\n" * 5000)
    return {"08_filter/products/table.csv": table, "a.txt": b"light", "Z.txt": b""}


def test_same_content_gives_same_bytes_whatever_the_clock_and_the_order(tmp_path, members):
    archive.pack(tmp_path / "one.zip", members)
    os.utime(members["08_filter/products/table.csv"], (time.time() - 1e8,) * 2)
    members["08_filter/products/table.csv"].chmod(0o600)
    archive.pack(tmp_path / "two.zip", dict(reversed(members.items())))
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_packed_members_come_back_and_pass_sha256sum(tmp_path, members):
    hashes = archive.pack(tmp_path / "one.zip", members)
    archive.check(tmp_path / "one.zip", hashes)
    archive.unpack(tmp_path / "one.zip", tmp_path / "out")
    assert (tmp_path / "out/08_filter/products/table.csv").read_text() == "ra,dec\n1,2\n" * 5000
    subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=tmp_path / "out", check=True, capture_output=True)
    archive.write_sha256(tmp_path / "one.zip")
    subprocess.run(["sha256sum", "--strict", "-c", "one.zip.sha256"], cwd=tmp_path, check=True, capture_output=True)


def test_check_names_the_member_that_was_altered(tmp_path, members):
    hashes = archive.pack(tmp_path / "one.zip", members)
    with pytest.raises(ContractError, match=r"a\.txt has sha256"):
        archive.check(tmp_path / "one.zip", {**hashes, "a.txt": "0" * 64})
    with pytest.raises(ContractError, match=r"lacks b\.txt"):
        archive.check(tmp_path / "one.zip", {**hashes, "b.txt": "0" * 64})
    damaged = bytearray((tmp_path / "one.zip").read_bytes())
    damaged[damaged.index(b"table.csv") + 40] ^= 0xFF
    (tmp_path / "one.zip").write_bytes(bytes(damaged))
    with pytest.raises(ContractError, match=r"table\.csv"):
        archive.check(tmp_path / "one.zip", hashes)


@pytest.mark.parametrize(
    "name", ["../evil.txt", "/etc/evil.txt", "a/../../evil.txt", "a\\..\\evil.txt", "C:evil.txt", ""]
)
def test_a_name_that_leaves_the_folder_is_refused_both_ways(tmp_path, name):
    with pytest.raises(ContractError, match="leave its folder"):
        archive.pack(tmp_path / "one.zip", {name: b"evil"})
    assert not (tmp_path / "one.zip").exists()
    if not name:
        return
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as crafted:
        crafted.writestr("good.txt", b"good")
        crafted.writestr(zipfile.ZipInfo(name), b"evil")
    with pytest.raises(ContractError, match="leave its folder"):
        archive.unpack(tmp_path / "two.zip", tmp_path / "deep" / "out")
    assert not list(tmp_path.rglob("evil*")) and not list(tmp_path.rglob("good.txt"))


def test_links_and_members_that_come_twice_are_refused(tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as crafted:
        crafted.writestr(link, "/etc/passwd")
    with pytest.raises(ContractError, match="is a link"):
        archive.unpack(tmp_path / "link.zip", tmp_path / "out")
    with pytest.warns(UserWarning), zipfile.ZipFile(tmp_path / "twice.zip", "w") as crafted:
        crafted.writestr("a", b"1")
        crafted.writestr("a", b"2")
    with pytest.raises(ContractError, match="comes twice"):
        archive.check(tmp_path / "twice.zip", {"a": "0" * 64})


def test_what_is_no_archive_is_said_so(tmp_path):
    (tmp_path / "no.zip").write_text("<html>")
    with pytest.raises(ContractError, match="cannot be opened"):
        archive.check(tmp_path / "no.zip", {})


def test_publish_leaves_a_copy_that_sha256sum_accepts(tmp_path, members):
    archive.pack(tmp_path / "package.zip", members)
    copy = archive.publish(tmp_path / "package.zip", tmp_path / "artifacts" / "demo", "demo")
    assert copy.name == "demo.zip" and copy.read_bytes() == (tmp_path / "package.zip").read_bytes()
    subprocess.run(["sha256sum", "--strict", "-c", "demo.zip.sha256"], cwd=copy.parent, check=True, capture_output=True)
