"""How much energy a stage took, as codecarbon estimates it."""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def measured_energy() -> Iterator[dict[str, Any]]:
    """Yield a dict, and put `energy_kwh` into it at the end: CPU, memory and GPUs of this machine.

    GPUs are measured by their driver; CPU power is measured where the machine reports it (RAPL),
    else estimated from the load and the processor's rating. The country matters for CO2 only,
    which is not kept. `energy_kwh` is None where codecarbon cannot start, as in a Slurm job's
    container that has no scontrol.
    """
    from codecarbon import OfflineEmissionsTracker

    logging.getLogger("codecarbon").setLevel(logging.ERROR)
    facts: dict[str, Any] = {}
    tracker = OfflineEmissionsTracker(
        country_iso_code="USA", save_to_file=False, log_level="error", allow_multiple_runs=True
    )
    tracker.start()
    try:
        yield facts
    finally:
        tracker.stop()
        emissions = getattr(tracker, "final_emissions_data", None)
        facts["energy_kwh"] = round(emissions.energy_consumed, 6) if emissions else None
