"""What `make demo` costs, and how much of it is Prefect and MLflow instead of work.

Runs the demo in a new folder: wall time, peak memory of all its processes together, and the time of the flow against
the time its steps spent working (their own records). Usage: python benchmarks/demo.py [--preset smoke]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]


def memory_gib(process: psutil.Process) -> float:
    """Resident memory of a process and all its children, shared pages counted once a process."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 2**30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="demo")
    preset = parser.parse_args().preset
    with tempfile.TemporaryDirectory() as folder:
        env = os.environ | {"PREFECT_HOME": f"{folder}/prefect"}
        command = [sys.executable, "-m", "flows", "campaign", "--preset", preset, "--set", f"runs={folder}/runs"]
        start_s = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, env=env)
        watched, peak_gib = psutil.Process(process.pid), 0.0
        while process.poll() is None:
            peak_gib = max(peak_gib, memory_gib(watched))
            time.sleep(0.5)
        wall_s = time.monotonic() - start_s
        if process.returncode:
            sys.exit(f"the demo ended with {process.returncode}")
        seconds = {}
        for record in sorted(Path(folder, "runs").glob("*/**/step.json")):
            stage = record.parent.relative_to(Path(folder, "runs")).as_posix()
            seconds[stage] = json.loads(record.read_text())["seconds"]
    logging_s = sum(value for stage, value in seconds.items() if stage.endswith("published"))
    working_s = sum(seconds.values()) - logging_s
    for stage, value in seconds.items():
        print(f"{value:8.1f} s  {stage}")
    print(f"{wall_s:8.1f} s  in all, of which {working_s:.1f} s in steps")
    figures = [
        {"name": "demo", "ours": wall_s / 60, "peer": 12, "unit": "minutes (peer: the limit)", "ratio": wall_s / 720},
        {"name": "demo memory", "ours": peak_gib, "peer": 6, "unit": "GiB (peer: the limit)", "ratio": peak_gib / 6},
        {
            "name": "flow with Prefect and MLflow against its steps alone",
            "ours": wall_s,
            "peer": working_s,
            "unit": "s",
            "ratio": wall_s / working_s,
        },
    ]
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
