"""Give one model the first half of each benchmark problem, and see whether it knows the rest.

Reads   data/model/<model>/, data/download_benchmark/, data/mix/validation.parquet;
        conf: probe, prompt, benchmark (the names)
Writes  data/probe/<model>/completions.parquet (COMPLETION), left_out.json (items and reasons)
Metrics metrics/probe/<model>.json: of each benchmark how many problems were continued verbatim,
        with its 95% interval, beside texts that were held out from training

The model gets raw text, no chat template, and continues it greedily for as many tokens as the rest
has: the partial-prompt completion of Wu et al. 2025 (arXiv 2507.10532), after Carlini et al. 2023
(arXiv 2202.07646) and Golchin and Surdeanu 2024 (arXiv 2308.08493). In float32 the result does not
depend on the batch size. Of a private benchmark numbers are kept, no text.
"""

from mathledger.evaluation import probe

if __name__ == "__main__":
    probe.main()
