"""Estimate with codecarbon how much energy a stage uses."""

import contextlib
import logging
import threading
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def measured_energy() -> Iterator[dict[str, Any]]:
    """Yield a dict that holds `energy_kwh` when the body ends: this machine's CPU, memory and GPUs.

    The driver measures the GPUs. CPU power is measured if the machine reports it (RAPL), and
    otherwise estimated from the load and the processor's rating. The country code affects CO2 only,
    which we do not keep. `energy_kwh` is None if codecarbon cannot start, for example in the
    container of a Slurm job without scontrol. It looks for the hardware in a thread, which takes up
    to a second; the body does not wait for it.
    """
    from codecarbon import OfflineEmissionsTracker

    logging.getLogger("codecarbon").setLevel(logging.ERROR)
    facts: dict[str, Any] = {}
    tracker = OfflineEmissionsTracker(
        country_iso_code="USA", save_to_file=False, log_level="error", allow_multiple_runs=True
    )
    starting = threading.Thread(target=tracker.start, name="energy")
    starting.start()
    try:
        yield facts
    finally:
        starting.join()
        tracker.stop()
        emissions = getattr(tracker, "final_emissions_data", None)
        facts["energy_kwh"] = round(emissions.energy_consumed, 6) if emissions else None
