"""Staging that killed processes left."""

import os
import subprocess
import time

from lostlight.core import products


def test_a_process_that_ended_is_not_alive_even_if_nobody_took_note():
    ended = subprocess.Popen(["true"])
    deadline = time.monotonic() + 10
    while products._is_alive(ended.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(ended.pid, 0)  # a zombie still answers
    assert not products._is_alive(ended.pid)
    ended.wait()
    assert products._is_alive(os.getppid())
