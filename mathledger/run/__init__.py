"""How a stage runs: params, MLflow, lineage, turns, GPUs. It is in no stage's dependencies."""
