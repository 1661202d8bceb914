"""How a verb ends."""

import subprocess
import sys
import time

import pytest

from tests.servers import ROOT

SCRIPT = """
import sys, threading
import flows.__main__ as command_line
from dataset.errors import InputError

def fail():
    threading.Thread(target=threading.Event().wait).start()  # for ever, as Prefect does when its own server is gone
    {how}

command_line.app = fail
command_line.LINGER_S = 0.5
command_line.main()
"""


@pytest.mark.parametrize(
    ("how", "code", "told"),
    [
        ("raise InputError('labels.txt', 'line 3 has 14 fields', 'give it 15')", 2, "line 3 has 14 fields"),
        ("raise RuntimeError('nobody expected this')", 1, "nobody expected this"),
        ("sys.exit(143)", 143, ""),
    ],
)
def test_a_verb_that_failed_ends_although_a_thread_of_a_library_never_does(how, code, told):
    began_s = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(how=how)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == code
    assert told in ended.stderr
    assert time.monotonic() - began_s < 30
