"""The trainer's log becomes a table with one row per step."""

from mathledger.training import sft
from mathledger.training.curves import curves_csv


def test_curve_has_one_row_a_step() -> None:
    history = [
        {"step": 0, "eval_loss": 2.0},
        {"step": 1, "loss": 1.5, "learning_rate": 1e-4, "num_input_tokens_seen": 7},
        {"step": 1, "eval_loss": 1.25},
        {"step": 1, "train_runtime": 3.0},
    ]
    assert curves_csv(history, sft.CURVES).splitlines() == [
        "step,loss,validation_loss,learning_rate,grad_norm,tokens_seen",
        "0,,2.0,,,",
        "1,1.5,1.25,0.0001,,7",
    ]
