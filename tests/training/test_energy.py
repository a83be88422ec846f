"""Energy is an estimate, and training never fails without it."""

import pytest

from mathledger.training.energy import measured_energy


def test_an_energy_that_cannot_be_estimated_ends_no_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """codecarbon calls scontrol in a Slurm job, but a container may lack it."""
    monkeypatch.setattr("codecarbon.core.util.SLURM_JOB_ID", "1")
    monkeypatch.setenv("PATH", "")
    with measured_energy() as facts:
        pass
    assert facts == {"energy_kwh": None}
