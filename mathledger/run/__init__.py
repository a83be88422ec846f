"""How a stage runs: its params, MLflow, lineage, turns and GPUs. No stage depends on this room."""
