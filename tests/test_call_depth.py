"""How deep our own functions are nested where two texts are compared: a short way from command to score."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from simil import __file__ as package

# Runs `simil` with a profile of calls into C, and lists our frames where the product is taken.
_PROGRAM = """
import json, os, runpy, sys
ours, found, leave = os.path.dirname(sys.argv.pop(1)) + os.sep, [], os._exit

def profile(frame, event, called):
    if event != "c_call" or called.__name__ not in ("c_einsum", "matmul", "dot"):
        return
    names = []
    while frame is not None:
        if frame.f_code.co_filename.startswith(ours):
            names.append(frame.f_code.co_filename.removeprefix(ours) + " " + frame.f_code.co_name)
        frame = frame.f_back
    if names[0].endswith(" pairwise"):
        found.append(names[::-1])

def show_and_leave(code):
    sys.setprofile(None)
    print(json.dumps(found), file=sys.stderr, flush=True)
    leave(code)

os._exit = show_and_leave
sys.setprofile(profile)
runpy.run_module("simil", run_name="__main__")
"""


def test_the_product_is_eight_frames_below_the_start(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, package, "compare", "-m", "minilm", "--no-cache", "Apple", "Orange"],
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    (frames,) = json.loads(done.stderr.splitlines()[-1])

    assert frames[0] == "__main__.py <module>"
    assert len(frames) <= 8, frames
