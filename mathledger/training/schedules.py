"""Name the learning rate schedules that need no arguments beyond ours."""

from typing import Any, Literal

Name = Literal[
    "linear",
    "cosine",
    "cosine_with_restarts",
    "polynomial",
    "constant",
    "constant_with_warmup",
    "inverse_sqrt",
    "cosine_with_min_lr",
    "cosine_warmup_with_min_lr",
]
WITH_FLOOR = ("cosine_with_min_lr", "cosine_warmup_with_min_lr")


def arguments(name: str, min_lr_rate: float) -> dict[str, Any]:
    """Return the scheduler's own arguments; most schedulers reject a floor."""
    return {"min_lr_rate": min_lr_rate} if name in WITH_FLOOR else {}
