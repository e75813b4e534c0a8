"""Run a command and print its wall time, peak memory and exit code as JSON on stdout.

A process of its own and a small one: the peak that the kernel reports for a child counts the
memory of whoever started it. The command's own output is dropped, but for its last line of errors.
"""

import json
import os
import subprocess
import sys
import time

start = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
assert child.stderr is not None
said = child.stderr.read()
_, status, usage = os.wait4(child.pid, 0)
wall_s = time.perf_counter() - start
unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB on Linux
print(
    json.dumps(
        {
            "wall_s": wall_s,
            "peak_bytes": usage.ru_maxrss * unit,
            "exit_code": os.waitstatus_to_exitcode(status),
            "said": (said.strip().splitlines() or [""])[-1],
        }
    )
)
