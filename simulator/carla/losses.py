"""What went wrong in captures that were then tried again: a line of JSON for each, beside the session's tables."""

import json
import os
import time
from collections import Counter
from pathlib import Path

from simulator.carla.pool import Server

LOSSES = "losses.jsonl"


class Losses:
    """Appends to one file; several processes may at once."""

    def __init__(self, path: Path | None):
        """Without a path nothing is kept."""
        self._path = path

    def add(self, server: Server, kind: str, what: str, scene_id: str | None) -> None:
        """`kind` is what is counted; `scene_id` None where no scene was under way."""
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        row = {"time_s": round(time.time(), 3), "server": str(server), "kind": kind, "scene_id": scene_id, "what": what}
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.write(fd, (json.dumps(row) + "\n").encode())  # one write, so that lines of processes never mix
        finally:
            os.close(fd)


def losses_by_kind(path: Path) -> Counter[str]:
    """How often each kind was lost; nothing where no file is."""
    if not path.exists():
        return Counter()
    return Counter(json.loads(line)["kind"] for line in path.read_text().splitlines())
