"""How much room this machine has left: on a disk, and in memory."""

import os
import shutil
from pathlib import Path

_MEMORY = Path("/proc/meminfo")


def free_disk_bytes(folder: Path) -> int:
    """Give the bytes that may still be written to the disk of a folder."""
    return shutil.disk_usage(folder).free


def free_memory_bytes() -> int:
    """Give the bytes of memory that can be had without swapping; all there is where the system does not tell."""
    if _MEMORY.is_file():
        lines = dict(line.split(":", 1) for line in _MEMORY.read_text().splitlines() if ":" in line)
        if "MemAvailable" in lines:
            return int(lines["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
