"""What a piece of work used: time, CPU, memory. It goes to the timings, never to a product."""

import resource
import sys
import time
from dataclasses import dataclass, field

Timing = dict[str, float | bool]


def cpu_s() -> float:
    """CPU seconds of this process and of the programs it ran."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak_mb() -> float:
    """Largest resident size this process has had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)


@dataclass(frozen=True)
class Stopwatch:
    """Runs from the moment it is made."""

    started_s: float = field(default_factory=time.perf_counter)
    cpu_before_s: float = field(default_factory=cpu_s)

    def read(self, more_cpu_s: float = 0.0) -> Timing:
        """Tell what was used since; `more_cpu_s` is a share of work done for several units at once."""
        return {
            "reused": False,
            "elapsed_s": round(time.perf_counter() - self.started_s, 3),
            "cpu_s": round(cpu_s() - self.cpu_before_s + more_cpu_s, 3),
            "peak_mb": round(peak_mb(), 1),
        }


REUSED: Timing = {"reused": True, "elapsed_s": 0.0, "cpu_s": 0.0}
