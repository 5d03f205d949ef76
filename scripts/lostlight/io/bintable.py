"""Binary tables of FITS as bytes: one table, one go.

astropy's table layer takes 30 ms for the 40 columns of one table, more than the science on it costs, so tables are
put together here; cards are still formatted and parsed by astropy. The format is that of the FITS standard 4.0,
section 7.3, with the checksums of its appendix J.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from astropy.io.fits import Card
from numpy.typing import NDArray

_BLOCK, _CARD = 2880, 80
_CODES = {"f8": "D", "f4": "E", "i8": "K", "i4": "J", "i2": "I", "u1": "B"}
_DTYPES = {code: f">{dtype}" for dtype, code in _CODES.items()} | {"L": "S1"}
_FORM = re.compile(r"(\d*)([A-Z])")
_STRUCTURE = ("XTENSION", "BITPIX", "NAXIS", "PCOUNT", "GCOUNT", "TFIELDS", "CHECKSUM", "DATASUM", "EXTNAME", "END")
_PER_COLUMN = ("TTYPE", "TFORM", "TUNIT", "TUCD", "TCOMM", "TDISP", "TNULL", "TDIM")

Value = str | float | int | bool


class Field(NamedTuple):
    """A column: numbers, truth values or text; its unit, UCD and a sentence about it."""

    name: str
    values: NDArray
    unit: str = ""
    ucd: str = ""
    text: str = ""


def encode(fields: Sequence[Field], meta: Mapping[str, Value]) -> bytes:
    """Write columns of equal length as a FITS file: an empty primary HDU, then one binary table; see `table`."""
    return _primary() + table(fields, meta)


def table(fields: Sequence[Field], meta: Mapping[str, Value]) -> bytes:
    """Write columns of equal length as one binary table, to stand after other HDUs.

    Units go to TUNITn, UCDs to TUCDn, sentences to TCOMMn, `meta` to cards of its own. Values of shape (rows, n) are a
    column of n numbers each.
    """
    stored = [_stored(field.values) for field in fields]
    columns = [(str(k), values.dtype, values.shape[1:]) for k, values in enumerate(stored)]
    rows = np.empty(len(stored[0]) if stored else 0, columns)
    for number, values in enumerate(stored):
        rows[str(number)] = values
    structure = {
        "XTENSION": "BINTABLE", "BITPIX": 8, "NAXIS": 2, "NAXIS1": rows.dtype.itemsize, "NAXIS2": len(rows),
        "PCOUNT": 0, "GCOUNT": 1, "TFIELDS": len(fields),
    }  # fmt: skip
    described = "".join(
        _describe(number, field.name, _form(field.values, values), field.unit, field.ucd, field.text)
        for number, (field, values) in enumerate(zip(fields, stored, strict=True), start=1)
    )
    cards = "".join(_card(*item) for item in structure.items()) + described
    cards += "".join(_card(*item) for item in meta.items())
    return _hdu(cards, rows.tobytes())


def decode(content: bytes) -> tuple[list[Field], dict[str, Value]]:
    """Read the first binary table of a FITS file: its columns in native byte order, and the cards that are its own.

    Raises
    ------
    ValueError
        If there is none, it is cut short, or it has columns of variable length or scaled ones.
    """
    cards, start = _find_table(content)
    n_rows, width = int(cards["NAXIS2"]), int(cards["NAXIS1"])
    names = range(1, int(cards["TFIELDS"]) + 1)
    if scaled := [key for key in cards if key.startswith(("TSCAL", "TZERO", "THEAP"))]:
        raise ValueError(f"it has scaled columns ({scaled[0]})")
    dtype = np.dtype([(str(k), _dtype(str(cards[f"TFORM{k}"]))) for k in names])
    if dtype.itemsize != width or len(content) < start + n_rows * width:
        raise ValueError(f"it should hold {n_rows} rows of {width} bytes and does not")
    rows = np.frombuffer(content, dtype, n_rows, start)
    fields = [
        Field(
            str(cards[f"TTYPE{k}"]), _native(rows[str(k)], str(cards[f"TFORM{k}"])),
            *(str(cards.get(f"{key}{k}", "")) for key in ("TUNIT", "TUCD", "TCOMM")),
        )
        for k in names
    ]  # fmt: skip
    return fields, {key: value for key, value in cards.items() if not key.startswith((*_STRUCTURE, *_PER_COLUMN))}


def _stored(values: NDArray) -> NDArray:
    if values.dtype.kind == "b":
        return np.where(values, b"T", b"F")
    if values.dtype.kind == "U":
        # as wide as the dtype has it, so that parts of one table are laid out alike
        return np.char.encode(values, "ascii", "replace").astype(f"S{max(values.dtype.itemsize // 4, 1)}")
    return values.astype(values.dtype.newbyteorder(">"))


def _form(values: NDArray, stored: NDArray) -> str:
    if values.dtype.kind == "b":
        return "L"
    if stored.dtype.kind == "S":
        return f"{stored.dtype.itemsize}A"
    repeat = "" if values.ndim == 1 else str(values.shape[1])
    return repeat + _CODES[values.dtype.str[1:]]


def _dtype(form: str) -> tuple[str, tuple[int, ...]] | str:
    found = _FORM.fullmatch(form)
    if not found or found[2] not in {*_DTYPES, "A"}:
        raise ValueError(f"it has a column of format {form}")
    repeat = int(found[1] or 1)
    if found[2] == "A":
        return f"S{repeat}"
    return _DTYPES[found[2]] if repeat == 1 else (_DTYPES[found[2]], (repeat,))


def _native(values: NDArray, form: str) -> NDArray:
    if form.endswith("A"):
        return np.char.rstrip(values.astype("U"))
    return values == b"T" if form.endswith("L") else values.astype(values.dtype.newbyteorder("="))


def _find_table(content: bytes) -> tuple[dict[str, Value], int]:
    """Walk over the HDUs to the first binary table; give its cards and where its data begin."""
    start = 0
    while content[start : start + _CARD]:
        cards: dict[str, Value] = {}
        last = ""
        while "END" not in cards:
            block = content[start : start + _BLOCK].decode("ascii")
            if len(block) < _BLOCK:
                raise ValueError("its header is cut short")
            for key, value in _parse(block):
                if key == "CONTINUE":
                    cards[last] = str(cards[last]).removesuffix("&") + str(value)
                else:
                    last, cards[key] = key, value
            start += _BLOCK
        if cards.get("XTENSION") == "BINTABLE":
            return cards, start
        sides = [int(cards[f"NAXIS{k}"]) for k in range(1, int(cards["NAXIS"]) + 1)]
        size = abs(int(cards["BITPIX"])) // 8 * int(np.prod(sides)) + int(cards.get("PCOUNT", 0)) if sides else 0
        start += -(-size // _BLOCK) * _BLOCK
    raise ValueError("it holds no table")


@lru_cache(maxsize=1024)
def _parse(block: str) -> tuple[tuple[str, Value], ...]:
    """Read the cards of one block of a header; ``END`` comes as a card too."""
    cards: list[tuple[str, Value]] = []
    for text in (block[start : start + _CARD] for start in range(0, _BLOCK, _CARD)):
        key = text[:8].rstrip()
        if key == "END":
            return *cards, (key, True)
        if text[8:10] == "= " or key == "CONTINUE":
            cards.append((key, Card.fromstring(f"{key if key != 'CONTINUE' else 'TEXT':8}= {text[10:]}").value))
    return tuple(cards)


@lru_cache(maxsize=4096)
def _describe(number: int, name: str, form: str, unit: str, ucd: str, text: str) -> str:
    cards = {"TTYPE": name, "TFORM": form, "TUNIT": unit, "TUCD": ucd, "TCOMM": text}
    return "".join(_card(f"{key}{number}", value) for key, value in cards.items() if value)


def _card(key: str, value: Value) -> str:
    return Card(key, value).image


@lru_cache(maxsize=1)
def _primary() -> bytes:
    return _hdu(
        "".join(_card(*item) for item in (("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 0), ("EXTEND", True))), b""
    )


def _hdu(cards: str, data: bytes) -> bytes:
    """Add checksums and padding to cards and data."""
    data += bytes(-len(data) % _BLOCK)
    data_sum = _ones_sum(data)
    header = cards + _card("CHECKSUM", "0" * 16) + _card("DATASUM", str(data_sum)) + "END".ljust(_CARD)
    header = header.ljust(-(-len(header) // _BLOCK) * _BLOCK)
    checksum = _ascii(~_ones_sum(header.encode(), data_sum) & 0xFFFFFFFF)
    return header.replace("0" * 16, checksum, 1).encode() + data


def _ones_sum(content: bytes, total: int = 0) -> int:
    """Sum of 32-bit words in ones' complement."""
    total += int(np.frombuffer(content, ">u4").sum(dtype=np.uint64))
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def _ascii(value: int) -> str:
    """Encode a checksum in 16 letters and digits (FITS standard, appendix J)."""
    punctuation = {*range(0x3A, 0x41), *range(0x5B, 0x61)}
    columns = []
    for byte in value.to_bytes(4, "big"):
        four = [byte // 4 + 0x30] * 4
        four[0] += byte % 4
        while punctuation & {*four}:
            for pair in (0, 2):
                if punctuation & {four[pair], four[pair + 1]}:
                    four[pair] += 1
                    four[pair + 1] -= 1
        columns.append(four)
    letters = "".join(chr(four[row]) for row in range(4) for four in columns)
    return letters[-1] + letters[:-1]
