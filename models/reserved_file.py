"""Disk space for a memory map, reserved at once."""

import errno
import logging
import os
from pathlib import Path

LOG = logging.getLogger(__name__)


def reserve(file: Path, size_bytes: int, remedy: str) -> bool:
    """An empty file of this size, whatever was there before; False, with a warning and no size, on a disk without room.

    A write into a map of a file that the disk cannot hold would kill the process (SIGBUS). remedy: what to do then.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as opened:
        try:
            if size_bytes:
                os.posix_fallocate(opened.fileno(), 0, size_bytes)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            opened.truncate(0)
            problem = f"no room for {size_bytes / 2**30:.1f} GiB ({error.strerror})"
            LOG.warning("%s: %s; every image is decoded each time: %s", file.parent, problem, remedy)
            return False
    return True
