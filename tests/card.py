"""A stand-in for CuPy: its arrays are NumPy's, and kernels are compiled for the processor, from the very same source.

One thread runs after the other. `launched` names the kernels that ran.
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


class Card:
    """As much of CuPy as the mosaic needs; libraries are kept in `folder`."""

    asnumpy = staticmethod(np.asarray)

    def __init__(self, folder: Path) -> None:
        self.folder, self.libraries, self.launched = folder, {}, []

    def __getattr__(self, name: str):
        return getattr(np, name)

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
    if isinstance(value, np.ndarray):
        assert value.flags.c_contiguous
        return ctypes.c_void_p(value.ctypes.data)
    return _KINDS[value.dtype.name](value.item())
