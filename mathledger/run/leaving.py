"""End the process of a stage that uses torch, whose libraries take a second to tear down."""

import multiprocessing
import os
import sys
from collections.abc import Callable


def run_and_leave(main: Callable[[], None]) -> None:
    """Run a stage, and end the process as soon as it has succeeded.

    Ranks, and processes with children such as vLLM's, end in the usual way, which ends these too.
    """
    main()
    if "WORLD_SIZE" in os.environ or multiprocessing.active_children():
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
