"""Sample the training set from what is left, and write it as prompt and completion.

Reads   data/decontaminate/kept.parquet, data/model/base/tokenizer.json;
        conf: mix, engine, corpus.*.mix, prompt
Writes  data/mix/train.parquet, data/mix/validation.parquet: id, corpus, source, repeat, answer,
        prompt, completion
Metrics metrics/mix.json

Whether a row is taken depends on the seed and its own id alone, so that adding a corpus never
reshuffles another. A family of problems that differ in their numbers alone falls on one side of
the validation split, with all solutions.
"""

from mathledger.filters import mix

if __name__ == "__main__":
    mix.main()
