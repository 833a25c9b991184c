"""What the benchmarks share: two cores, a process for each contender, the fastest of some runs, and tables."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

CORES = 2


def two_cores() -> None:
    """Stay on the first two cores, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])


def peak() -> float:
    """The highest memory of this process, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 2**30


def clocked(run: Callable[[], Any], repeats: int = 3) -> tuple[dict[str, float], Any]:
    """The fastest of some runs in this process: seconds, CPU and peak memory; and what the last one returned.

    What takes longer than 20 seconds runs once.
    """
    times = []
    for _ in range(repeats):
        begin, cpu = time.perf_counter(), time.process_time()
        result = run()
        times.append((time.perf_counter() - begin, time.process_time() - cpu))
        if times[-1][0] > 20:
            break
    seconds, used = min(times)
    return {"seconds": seconds, "cpu": used, "peak": peak()}, result


def in_a_process(script: str, *words: str) -> dict[str, Any]:
    """Call a script with `--contend`, and read what it prints."""
    done = subprocess.run([sys.executable, script, "--contend", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)} ended {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)
