"""One command timed as a whole process."""

import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.02


@dataclass
class Measurement:
    """What a run cost."""

    wall: float
    cpu: float
    anonymous_peak: int
    resident_peak: int
    served: int = 0


class CommandFailed(Exception):
    """The command did not end with status 0."""


def measure(command, environment, folder, log):
    """Runs `command` in `folder`, its output in the file `log`."""
    with open(log, "wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        sampler = _Sampler(process.pid)
        sampler.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    sampler.stop()
    if process.returncode != 0:
        tail = Path(log).read_text(errors="replace")[-2000:]
        raise CommandFailed(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{tail}")
    return Measurement(wall, usage.ru_utime + usage.ru_stime, sampler.peak, usage.ru_maxrss * 1024)


class _Sampler(threading.Thread):
    """Follows the anonymous memory of a process; pages of files are left out."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.status = Path(f"/proc/{pid}/status")
        self.peak = 0
        self.stopped = threading.Event()

    def run(self):
        while not self.stopped.wait(SAMPLE_SECONDS):
            try:
                status = self.status.read_text()
            except OSError:
                return
            for line in status.splitlines():
                if line.startswith("RssAnon:"):
                    self.peak = max(self.peak, int(line.split()[1]) * 1024)

    def stop(self):
        self.stopped.set()
        self.join()
