"""One thread for each process: the pool of processes is the parallelism, and sums keep their order."""

import os

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def keep_to_one() -> None:
    """Tell the libraries that start threads of their own not to, unless the user says otherwise.

    They look once, when they are loaded. Without it a worker that is forked from a process where OpenMP had threads
    waits for those threads for ever.
    """
    for name in _VARIABLES:
        os.environ.setdefault(name, "1")
