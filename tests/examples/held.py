"""An objective that waits in the middle of a run until the run is asked to stop."""

import os
import signal
import time

HELD_STEP = 4  # it waits there, the first time that a job runs with HOLD in its environment


def held(view):
    held.calls += 1
    if held.calls == HELD_STEP and "HOLD" in os.environ and "SLURM_RESTART_COUNT" not in os.environ:
        is_stopped = signal.getsignal(signal.SIGUSR1).__self__  # hnclip's StopSignals
        end = time.monotonic() + 900  # where nobody is left to stop it
        while not is_stopped() and time.monotonic() < end:
            time.sleep(0.05)
    return 0 * view.scale.sum()


held.calls = 0
OBJECTIVES = {"held": {"contrastive": 1, held: 1}}
