"""A stand-in for CuPy: kernels are compiled for the processor, from the very same source.

Its arrays hold NumPy's, but as on a card nothing mixes the two: what lies on the host must be sent, and brought back.
"""

import ctypes
import re
import subprocess
from pathlib import Path

import numpy as np

_CARD = """
#include <cmath>
using std::isfinite;
#define __global__
#define __device__
struct Index { long long x; };
static Index blockIdx, blockDim, threadIdx;
"""
_FLAGS = ("-O1", "-ffp-contract=off", "-shared", "-fPIC", "-Wall", "-Werror", "-Wno-unknown-pragmas",
          "-Wno-unused-function")  # fmt: skip
_KINDS = {
    "float32": ctypes.c_float, "int32": ctypes.c_int, "int64": ctypes.c_longlong, "uint64": ctypes.c_void_p
}  # fmt: skip


class OnCard(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of the card; one of the host beside it is refused."""

    def __init__(self, host: np.ndarray) -> None:
        self.host = host

    def __getattr__(self, name: str):
        return getattr(self.host, name)

    def __len__(self) -> int:
        return len(self.host)

    def __bool__(self) -> bool:
        return bool(self.host)

    def __int__(self) -> int:
        return int(self.host)

    def __getitem__(self, key):
        return OnCard(np.asarray(self.host[key]))

    def __setitem__(self, key, value) -> None:
        self.host[key] = _bare(value)

    def __array__(self, *_, **__):
        raise TypeError("an array of the card is brought back by asnumpy alone")

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        return _shown(getattr(ufunc, method)(*map(_bare, inputs), **options))


def _bare(value):
    if isinstance(value, np.ndarray):
        raise TypeError("an array of the host among those of the card")
    return value.host if isinstance(value, OnCard) else [*map(_bare, value)] if isinstance(value, list) else value


def _shown(value):
    return OnCard(np.asarray(value)) if isinstance(value, np.ndarray | np.generic) else value


class Card:
    """As much of CuPy as the mosaic needs; libraries are kept in `folder`, `launched` names the kernels that ran."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.libraries, self.launched, self.sent = folder, {}, [], []

    def __getattr__(self, name: str):
        found = getattr(np, name)
        if isinstance(found, type) or not callable(found):
            return found
        return lambda *given, **options: _shown(found(*map(_bare, given), **options))

    def asarray(self, value, dtype=None) -> OnCard:
        if isinstance(value, OnCard):
            return value
        self.sent.append(np.array(value, dtype))
        return OnCard(self.sent[-1])

    def asnumpy(self, value: OnCard) -> np.ndarray:
        return value.host.copy()

    def RawKernel(self, source: str, name: str, options: tuple[str, ...] = ()):  # noqa: N802
        assert "--fmad=false" in options, "a card would round otherwise than the processor"
        if source not in self.libraries:
            self.libraries[source] = self._compiled(source)
        function = getattr(self.libraries[source], f"run_{name}")

        def launch(grid: tuple[int], block: tuple[int], arguments: tuple) -> None:
            function(*(ctypes.c_longlong(n) for n in (*grid, *block)), *map(_passed, arguments))
            self.launched.append(name)

        return launch

    def _compiled(self, source: str) -> ctypes.CDLL:
        path = self.folder / f"kernel{len(self.libraries)}.cpp"
        path.write_text(_CARD + source + "\n".join(_runners(source)))
        subprocess.run(["g++", *_FLAGS, str(path), "-o", str(path.with_suffix(".so"))], check=True)
        return ctypes.CDLL(str(path.with_suffix(".so")))


def _runners(source: str):
    for name, words in re.findall(r"__global__ void (\w+)\(([^)]*)\)", source):
        names = ", ".join(word.split()[-1].lstrip("*") for word in words.split(","))
        yield (
            f'extern "C" void run_{name}(long long blocks, long long threads, {words}) {{ blockDim.x = threads;'
            f"for (blockIdx.x = 0; blockIdx.x < blocks; blockIdx.x++)"
            f"for (threadIdx.x = 0; threadIdx.x < threads; threadIdx.x++) {name}({names}); }}"
        )


def _passed(value):
    if isinstance(value, OnCard):
        assert value.flags.c_contiguous
        return ctypes.c_void_p(value.host.ctypes.data)
    return _KINDS[value.dtype.name](value.item())
