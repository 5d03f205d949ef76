"""Files and folders that users name in the configuration."""

from pathlib import Path

from lostlight.core.errors import ConfigError

IMAGES = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fts.gz")


def listed(path: Path, suffixes: tuple[str, ...], key: str) -> list[Path]:
    """Give a file itself, or the files of a folder that end in one of the suffixes, in order of name.

    Raises
    ------
    ConfigError
        If there is nothing of the kind; the message names the configuration key.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ConfigError(f"{key} = {path}: there is no such file or folder", hint="correct the path")
    found = sorted(file for file in path.iterdir() if file.is_file() and file.name.lower().endswith(suffixes))
    if not found:
        raise ConfigError(f"{key} = {path} holds no files of the kind {', '.join(suffixes)}", hint="correct the path")
    return found
