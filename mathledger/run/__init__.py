"""Support code for running a stage: params, MLflow, lineage, turns, GPUs.

No stage depends on this package, so an edit here reruns nothing.
"""
