"""The model card as Markdown, from the ledger and nothing else: one function a section.

Every number in it stands in the ledger. A share of n items is shown with no more digits than one
item is worth, and every score with its 95% interval.
"""

import html
import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib import resources
from typing import Any

from mathledger.card import memorisation, report, statement
from mathledger.card.markdown import chance, folded, percent, points, table, wrapped

Ledger = dict[str, Any]

SIGNIFICANT = 0.05
MAX_LEVELS = 12  # more do not fit a panel, and stand in a table alone
# The spaces of a table at which a narrow screen must not break: in `29 of 64` and in `[34, 57]`.
UNBREAKABLE = re.compile(r"(?<=[\d%]) (?=of \d)|(?<=[\d%] of) (?=\d)|(?<=\d,) (?=-?[\d.]+\])")


def interval(found: dict[str, float], num_items: int) -> str:
    """`62 [53, 71]`, in percent."""
    value, low, high = (percent(found[key], num_items) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def score_cell(score: dict[str, Any]) -> str:
    """`60 of 96: 62% [53, 71]`; where items were answered several times, without the count."""
    if score["accuracy"] is None:
        return "no items"
    num_items = score["num_items"]
    share, low, high = (percent(score[key], num_items) for key in ("accuracy", "low", "high"))
    is_single = score["num_samples"] == num_items
    count = f"{score['num_correct']} of {num_items}: " if is_single else ""
    return f"{count}{share}% [{low}, {high}]"


def count_cell(entry: dict[str, Any]) -> str:
    """`96`, or `30 x 16` for sixteen responses an item."""
    repeats = f" x {entry['num_repeats']}" if entry["num_repeats"] > 1 else ""
    return f"{entry['num_items']:,}{repeats}"


def final(ledger: Ledger) -> str:
    """The name of the last model: what the card is about."""
    return str(ledger["params"]["evaluated_models"][-1])


def verdict(comparison: dict[str, Any]) -> str:
    """What the paired test allows to say, all comparisons of the card considered."""
    if comparison["p_value"] >= SIGNIFICANT:
        return "no difference shown"
    word = "better" if comparison["difference"]["value"] > 0 else "worse"
    return word if comparison["p_holm"] < SIGNIFICANT else f"{word}, but not after Holm"


def summary(entry: dict[str, Any]) -> str:
    """One benchmark in a line, for the terminal."""
    shown = [f"{model} {score_cell(score)}" for model, score in entry["models"].items()]
    shown += [f"{each['model']} {verdict(each)}" for each in entry["comparisons"]]
    return ", ".join(shown)


def reference(score: dict[str, Any]) -> str:
    """The short name of the responses behind a score: the head of their sha256 in the ledger."""
    return str(score["samples_sha256"][:8])


def place(ledger: Ledger, path: str) -> str:
    """Where a file of the repository is: under its address, where params.yaml gives one."""
    url = ledger["params"]["model_card"]["url"]
    return f"{url.rstrip('/')}/blob/main/{path}" if url else path


def front_matter(ledger: Ledger) -> str:
    """The card's YAML head; huggingface_hub writes and checks it."""
    from huggingface_hub import EvalResult, ModelCardData

    model, corpora, licence = ledger["base_model"], ledger["corpora"], ledger["licence"]
    results = []
    for entry in ledger["benchmarks"]:
        score = entry["models"][final(ledger)]
        kind = f"avg@{entry['num_repeats']}" if entry["num_repeats"] > 1 else "accuracy"
        results.append(
            EvalResult(
                task_type="text-generation",
                task_name="Math problem solving",
                dataset_type=entry["source"]["name"],
                dataset_name=entry["benchmark"],
                dataset_revision=entry["source"]["revision"],
                metric_type="accuracy",
                metric_name=f"{kind}, n={score['num_items']}",
                metric_value=score["accuracy"],
                source_name=f"ledger {reference(score)}",
                source_url=place(ledger, "model_card/ledger.json"),
            )
        )
    data = ModelCardData(
        language=ledger["params"]["model_card"]["language"],
        license=licence["id"] if licence["on_hub"] else "other" if licence["id"] else "unknown",
        license_name=None if licence["on_hub"] else licence["id"],
        license_link=None if licence["on_hub"] else licence["source"],
        datasets=sorted({each["name"] for each in corpora.values() if each["kind"] == "hub"})
        or None,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["math", "mathledger", "sft", "trl"],
        base_model=model["base_model"],
        model_name=ledger["name"],
        eval_results=results,
    )
    return f"---\n{data.to_yaml()}\n---\n"


def title(ledger: Ledger) -> str:
    model, licence = ledger["base_model"], ledger["licence"]
    base = model["base_model"] or f"{model['name']} ({model['revision']})"
    reinforced = ", then with GRPO on its own answers" if "reinforcement" in ledger else ""
    return f"""# {ledger["name"]}

{base}, fine-tuned on {ledger["training"]["num_examples"]:,} worked math problems{reinforced} by a
[DVC pipeline](../dvc.yaml) that anyone can run again. Every number below stands in
[ledger.json](ledger.json) with the digests of the responses, data and weights behind it.
{model["about"]}

{under(licence)}
"""


def under(licence: dict[str, Any]) -> str:
    """The model's licence and why, in a sentence."""
    if licence["unknown"]:
        return (
            f"**Not to be published as it is**: the licence of {', '.join(licence['unknown'])} is "
            "not known, so that the model's cannot be said."
        )
    name = f"[{licence['name']}]({licence['source']})" if licence["source"] else licence["name"]
    return f"Licence: {name}, which follows from those of the base model and the corpora below."


def scores(ledger: Ledger) -> str:
    """The models on every benchmark, and what the paired comparisons allow to say."""
    entries, names = ledger["benchmarks"], ledger["params"]["evaluated_models"]
    drawn = (
        " Hollow marks are claims of other cards, not measured here." if any_claim(ledger) else ""
    )
    text = "## Scores\n\n![Accuracy of each model with 95% intervals](scores.png)\n\n" + table(
        ["benchmark", *names, "items", "ledger"],
        [
            [entry["benchmark"]]
            + [score_cell(entry["models"][name]) for name in names]
            + [count_cell(entry)]
            + [" ".join(f"`{reference(entry['models'][name])}`" for name in names)]
            for entry in entries
        ],
    )
    text += "\n" + wrapped(
        f"{sampling(ledger)} Brackets are 95% intervals over items; "
        f"[docs/statistics.md](../docs/statistics.md) has every formula.{drawn} *Ledger* names the "
        f"responses behind the {' and the '.join(names)} score by the head of their sha256 (ledger "
        f"`{statement.digest(ledger)[:12]}`). To see what one rests on, down to the raw data:"
    )
    text += f"\n```bash\nmathledger trace {entries[0]['benchmark']}@{final(ledger)}\n```\n"
    if repeated := [entry for entry in entries if entry["num_repeats"] > 1]:
        text += "\n" + repeats(repeated, names)
    if ledger["num_comparisons"]:
        text += "\n" + compared(ledger)
    return text


def sampling(ledger: Ledger) -> str:
    """How the responses were chosen."""
    settings = ledger["params"]["evaluate"]
    if settings["temperature"] == 0:
        return "Greedy decoding, one response an item."
    return (
        f"Sampled at temperature {settings['temperature']:g} and top_p {settings['top_p']:g}, "
        f"each response with a seed of its own drawn from seed {settings['seed']}; a score is the "
        "share of right responses (avg@k), and k responses to an item count as one item."
    )


def repeats(entries: list[dict[str, Any]], names: list[str]) -> str:
    """pass@k and maj@k of the benchmarks whose items were answered several times."""
    ks = sorted({int(k) for entry in entries for k in entry["models"][names[0]]["pass_at"]})
    rows = []
    for entry in entries:
        for name in names:
            score, num_items = entry["models"][name], entry["num_items"]
            found = [score["pass_at"].get(str(k)) for k in ks] + [score["majority"]]
            cells = [interval(each, num_items) if each else "" for each in found]
            rows.append([entry["benchmark"], name, *cells])
    return (
        "In percent: a right answer among k (pass@k), and the most frequent of all k right:\n\n"
        + (table(["benchmark", "model", *(f"pass@{k}" for k in ks), "majority"], rows, 2))
    )


def compared(ledger: Ledger) -> str:
    """Every pair of models on every benchmark."""
    rows = []
    for entry in ledger["benchmarks"]:
        num_items = entry["num_items"]
        for each in entry["comparisons"]:
            least = each["minimum_detectable"]
            rows.append(
                [
                    entry["benchmark"],
                    f"{each['model']} - {each['against']}",
                    verdict(each),
                    points(each["difference"], num_items),
                    chance(each["p_value"]),
                    chance(each["p_holm"]),
                    percent(least, num_items) if least else "none",
                ]
            )
    head = ["benchmark", "compared", "verdict", "points", "p", "p (Holm)", "detectable"]
    many = ledger["num_comparisons"]
    at_once = f"{many} comparisons are made at once: the verdict goes by Holm's p. "
    return (
        table(head, rows, 3)
        + "\n"
        + wrapped(
            "Paired by item; p is the exact sign-flip test's, for one response an item McNemar's. "
            f"{at_once if many > 1 else ''}*Detectable* is the true difference, in points, that a "
            "test on so many items finds four times out of five: a smaller one may be there unseen."
        )
    )


def responses(ledger: Ledger) -> str:
    """How the responses ended, how long they were, and how each score was measured."""
    names = ledger["params"]["evaluated_models"]
    ended, measured, judged = [], [], []
    for entry in ledger["benchmarks"]:
        for name in names:
            score = entry["models"][name]
            num_samples = score["num_samples"]
            shares = (score[f"num_{key}"] for key in ("truncated", "no_answer", "too_long"))
            cells = [
                f"{count:,} ({percent(count / num_samples, num_samples)}%)" for count in shares
            ]
            if score["num_truncated_correct"]:
                cells[0] += f", {score['num_truncated_correct']} right"
            limit = score["response_lengths"]["limit"]
            ended.append([entry["benchmark"], name, f"{num_samples:,}", *cells])
            ended[-1] += [score["mean_num_tokens"], f"{limit:,}"]
            how = [score[key] for key in ("backend", "dtype", "batch_size", "task_version")]
            measured.append([entry["benchmark"], name, *how, ", ".join(score["graders"])])
        others = {
            name: entry["models"][name]["num_harness_disagreements"]
            for name in names
            if entry["models"][name]["num_judged_by_harness"]
        }
        if others:
            found = ", ".join(
                f"{count} of {entry['models'][name]['num_judged_by_harness']:,} ({name})"
                for name, count in others.items()
            )
            judged.append(f"- {entry['benchmark']}: {found}\n")
    text = "## Responses\n\n![Length of the responses](lengths.png)\n\n"
    text += wrapped(
        "A response that holds no answer, or could not be asked, counts as wrong. One that was cut "
        "at the limit is graded by what it holds up to there, and may be right by chance: the "
        "table counts them."
    )
    text += "\n"
    if judged:
        text += "Responses that lm-eval's own task of this name judges otherwise:\n\n"
        text += "".join(judged) + "\n"
    head = ["benchmark", "model", "responses"]
    text += folded(
        "How the responses ended",
        table(
            [
                *head,
                "cut at the limit",
                "no answer found",
                "prompt too long",
                "mean tokens",
                "limit",
            ],
            ended,
            2,
        ),
    )
    return text + folded(
        "How they were made and graded",
        table(
            ["benchmark", "model", "backend", "dtype", "batch size", "task version", "grader"],
            measured,
            4,
        ),
    )


def subsets(ledger: Ledger) -> str:
    """Accuracy by level, subject, year: whatever a benchmark says of its items."""
    names = ledger["params"]["evaluated_models"]
    entries = [e for e in ledger["benchmarks"] if e["models"][names[0]]["subsets"]]
    if not entries:
        return ""
    text = "## By level and subject\n\n"
    if any(are_levels(values) for _, _, values in each_subset(entries, names)):
        text += "![Accuracy by level](levels.png)\n\n"
    for entry, key, values in each_subset(entries, names):
        rows = [
            [value] + [score_cell(entry["models"][name]["subsets"][key][value]) for name in names]
            for value in values
        ]
        text += folded(f"{entry['benchmark']}, by {key}", table([key, *names], rows))
    return text


def are_levels(values: Sequence[str]) -> bool:
    """Whether a subset's values have an order that can be drawn: numbers, several and not too many.

    >>> are_levels(["1", "2"]), are_levels(["Algebra", "Geometry"]), are_levels(["2024"])
    (True, False, False)
    """
    return 1 < len(values) <= MAX_LEVELS and are_numbers(values)


def are_numbers(values: Iterable[str]) -> bool:
    """Whether all are numbers, as levels and years are."""
    return all(re.fullmatch(r"-?\d+(\.\d+)?", value) for value in values)


def each_subset(
    entries: list[dict[str, Any]], names: list[str]
) -> list[tuple[dict[str, Any], str, list[str]]]:
    """Benchmark, key and values of every way to divide a benchmark."""
    return [
        (entry, key, list(values))
        for entry in entries
        for key, values in entry["models"][names[0]]["subsets"].items()
    ]


def data(ledger: Ledger) -> str:
    reasons = [
        [name, reason, count]
        for name, counts in ledger["removed"].items()
        for reason, count in counts.items()
    ]
    funnel = [[corpus, *counts] for corpus, counts in ledger["funnel"].items()]
    num_validation = ledger["training"]["num_validation"]
    text = f"""## Data

![Rows left after each stage](funnel.png)

{table(["corpus", *report.STEPS], funnel)}
{table(["removed by", "reason", "rows"], reasons, 2)}
The last step of the funnel also sets {num_validation} examples aside for validation.
[report.html](report.html) shows the rows by source, and pairs of texts to judge the filters by.
"""
    if ledger["planted"]:
        rows = [[row["kind"], row["num_planted"], row["num_removed"]] for row in ledger["planted"]]
        text += (
            "\nRows built into the corpora on purpose, to see whether the filters find them:\n\n"
        )
        text += table(["built in", "rows", "removed"], rows)
    return text


def contamination(ledger: Ledger) -> str:
    """What overlaps the training data, and whether the models do better on it."""
    filtered = ledger["decontaminate"]
    kept = "Rows that hold a benchmark item were removed before training."
    if filtered["action"] != "remove":
        kept = (
            "**Rows that hold a benchmark item were kept in the training set** "
            f"(decontaminate.action={filtered['action']}): compare the right-hand columns."
        )
    text = "## Contamination\n\n" + wrapped(
        f"Every training problem was compared with all {filtered['num_items_checked']} items of "
        f"the benchmarks above, those included that were not asked. {kept} Problems with an item's "
        f"wording and other numbers are variants: {filtered['num_variant_hits']} hits, "
        f"{filtered['variants']}."
    )
    own_test = table(
        ["changed copy of a benchmark item", "shown", "called contamination", "should be"],
        [
            [row["form"], row["num"], row["num_found"], "none" if row["is_control"] else "all"]
            for row in filtered["canaries"]
        ],
    )
    return (
        f"{text}\n{overlap(ledger)}\nThe filter was tried on changed copies of the items, which "
        f"never reached the training set:\n\n{own_test}"
    )


def overlap(ledger: Ledger) -> str:
    """Scores on the items that stood in the corpora, and on all others."""
    rows, free = [], []
    for entry in ledger["benchmarks"]:
        if not entry["num_items_overlapping_training_candidates"]:
            free.append(entry["benchmark"])
            continue
        for name, score in entry["models"].items():
            clean, overlapping = score["items_without_overlap"], score["items_with_overlap"]
            fewest = min(clean["num_items"], overlapping["num_items"])
            gap = score["overlap_gap"]
            cells = [score_cell(each) for each in (clean, overlapping)]
            rows.append([entry["benchmark"], name, *cells, points(gap, fewest) if gap else ""])
    text = ""
    if rows:
        head = ["benchmark", "model", "items free of overlap", "overlapping items"]
        text += table([*head, "difference, points"], rows, 2)
        text += "\n" + wrapped(
            "Overlapping items stood in the corpora, whether their rows were removed or not; the "
            "difference is their score minus that of the others. Where they are answered better by "
            "the base model too, they are easier, or it has seen them before."
        )
    if free:
        text += f"\nNo item in the corpora: {', '.join(free)}.\n"
    return text


def training(ledger: Ledger) -> str:
    """How the model was trained, and what it answered before and after."""
    found, settings = ledger["training"], ledger["params"]["train"]
    lora = settings["lora"]
    kind = f"LoRA of rank {lora['r']}" if lora else "All weights"
    if lora and lora["load_in_4bit"]:
        kind += " over weights in nf4"
    rows, left_out = "sequences" if settings["packing"] else "examples", ""
    if found["num_too_long"]:
        left_out = f" {found['num_too_long']} examples longer than "
        left_out += f"{settings['max_length']} tokens were left out."
    text = wrapped(
        f"{kind}, {found['num_trainable_parameters']:,} trained parameters, "
        f"{found['num_steps']} steps of {found['effective_batch_size']} {rows} "
        f"({found['num_tokens_seen']:,} tokens), learning rate {settings['learning_rate']:g}, "
        f"loss on the solutions only; validation loss {found['first_validation_loss']} before, "
        f"{found['last_validation_loss']} after.{left_out}"
    )
    text += answers(ledger, "train")
    if "reinforcement" in ledger:
        after, chosen = ledger["reinforcement"], ledger["params"]["reinforce"]["grpo"]
        text += "\n" + wrapped(
            f"Then GRPO: {after['num_steps']} steps of {after['effective_batch_size']} answers, "
            f"{chosen['num_generations']} to a problem, learning rate {chosen['learning_rate']:g}, "
            "rewarded where the final answer is right. Share of right answers to validation "
            f"problems, sampled at temperature {chosen['temperature']:g}: "
            f"{after['first_validation_reward']} before, {after['last_validation_reward']} after."
        )
        text += answers(ledger, "reinforce")
    return (
        f"## Training\n\n![Loss](loss.png)\n\n{text}\n"
        "All parameters are in [params.yaml](../params.yaml).\n"
    )


def answers(ledger: Ledger, stage: str) -> str:
    """The first and the last answer to the held-out problem."""
    samples, asked = ledger["samples"][stage], ledger["held_out"][stage]
    known = f"; its answer is {asked['answer']}" if asked["answer"] else ""
    text = f"\nA held-out problem (`{samples[0]['id'][:8]}`{known}), and what the model answered:\n"
    text += f"\n<pre>{html.escape(asked['problem'], quote=False)}</pre>\n"
    for each in (samples[0], samples[-1]):
        lines = [line for line in each["response"].splitlines() if line.strip()]
        answer = html.escape("\n".join(lines), quote=False) or "(nothing)"
        text += f"\nStep {each['step']}:\n\n<pre>{answer}</pre>\n"
    return text


def any_claim(ledger: Ledger) -> bool:
    """Whether a claim is drawn beside a measurement."""
    return any(claim["is_evaluated"] for claim in ledger["claims"])


def claim_range(claim: dict[str, Any]) -> str:
    """A claim as stated, in percent.

    >>> claim_range({"low": 0.95, "high": 0.99}), claim_range({"low": 0.939, "high": 0.939})
    ('95-99%', '93.9%')
    """
    low, high = (f"{100 * claim[key]:.4g}" for key in ("low", "high"))
    return f"{low}%" if low == high else f"{low}-{high}%"


def claims(ledger: Ledger) -> str:
    """What other cards state, apart from what was measured."""
    if not ledger["claims"]:
        return ""
    rows = [
        [
            claim["model"],
            claim["benchmark"],
            claim_range(claim),
            "yes" if claim["is_evaluated"] else "no",
            claim["source"],
        ]
        for claim in ledger["claims"]
    ]
    head = ["model", "benchmark", "claimed", "benchmark evaluated here", "where it is stated"]
    return (
        "## Claims of other cards\n\nQuoted, not measured here: no responses are behind these "
        f"numbers.\n\n{table(head, rows, len(head))}"
    )


def limits(ledger: Ledger) -> str:
    about = "\n".join(f"- {entry['benchmark']}: {entry['about']}" for entry in ledger["benchmarks"])
    return f"""## Limits

{about}
- An interval says how far a score may move with other items of the same kind, and no more.
- Overlap is found by wording and numbers; a paraphrase or a translation of an item would pass.
- math-verify can misjudge an answer; all responses and verdicts are in `data/evaluate/`.
- A GPU, or another CPU, rounds differently: expect the last digits of a score to move.
"""


def use(ledger: Ledger) -> str:
    """A question asked as the benchmarks ask; tests run it from the repository's folder."""
    settings = ledger["params"]["evaluate"]
    sampled = (
        f"do_sample=True, temperature={settings['temperature']}, top_p={settings['top_p']}"
        if settings["temperature"]
        else "do_sample=False"
    )
    limit = max(
        entry["models"][final(ledger)]["response_lengths"]["limit"]
        for entry in ledger["benchmarks"]
    )
    template = json.dumps(ledger["params"]["prompt"]["template"], ensure_ascii=False)
    return f"""## Use

```python
from transformers import pipeline

solve = pipeline("text-generation", "data/model/{final(ledger)}")  # or wherever its files are
problem = "12 + 30 - 5 ="
question = {template}.format(problem=problem)
chat = [{{"role": "user", "content": question}}]
answer = solve(chat, max_new_tokens={limit}, {sampled}, return_full_text=False)
print(answer[0]["generated_text"])
```

{asked(ledger)}
"""


def asked(ledger: Ledger) -> str:
    """Whether the benchmarks were asked with the snippet's prompt, and which were not."""
    prompt, settings = ledger["params"]["prompt"]["template"], ledger["params"]["benchmark"]
    others = [
        name
        for name, benchmark in settings.items()
        if benchmark["task"]["num_fewshot"] or benchmark["task"]["doc_to_text"] != prompt
    ]
    text = "The benchmarks were asked so: the model's chat template around this prompt."
    if others:
        text += (
            f" Not so {', '.join(others)}, with a prompt or worked examples of its own: "
            "`benchmark.*.task` in [params.yaml](../params.yaml)."
        )
    return wrapped(text).rstrip()


def inputs(ledger: Ledger) -> str:
    sources = {"base model": ledger["base_model"], **ledger["corpora"]}
    sources |= {entry["benchmark"]: entry["source"] for entry in ledger["benchmarks"]}
    rows = [
        [name, source["name"], source["revision"], source["licence"]]
        for name, source in sources.items()
    ]
    return f"## Inputs\n\n{table(['input', 'source', 'revision', 'licence'], rows, 4)}"


def reproduce(ledger: Ledger) -> str:
    """Three commands to check the stored results, and one to make them anew."""
    url = ledger["params"]["model_card"]["url"] or "REPOSITORY"
    return f"""## Reproduce and verify

```bash
git clone {url} checkout && cd checkout && make setup && source .venv/bin/activate
dvc pull                               # the stored data, weights and responses
mathledger verify                      # every digest, response and number of this card, anew
```

`make repro` in place of the last two makes all of it again; then `git diff --stat -- metrics
model_card` prints nothing where your numbers are these numbers.
[croissant.json](croissant.json) describes the training set for machines.
"""


def citation(ledger: Ledger) -> str:
    """BibTeX of this model; what it was made of stands under Inputs."""
    key = re.sub(r"[^a-z0-9]+", "-", ledger["name"].lower())
    url = ledger["params"]["model_card"]["url"]
    lines = [
        f"  title = {{{{{ledger['name']}}}}},",
        f"  note = {{Ledger {statement.digest(ledger)}}},",
        *([f"  howpublished = {{\\url{{{url}}}}},"] if url else []),
    ]
    text = "\n".join(lines)
    return f"""## Citation

Name the ledger with the number: it says which results are meant.

```bibtex
@misc{{{key},
{text}
}}
```
{credits(ledger)}"""


def credits(ledger: Ledger) -> str:
    """BibTeX of the works that the base model, the corpora and the benchmarks come from."""
    model = ledger["base_model"]
    sources = [*ledger["corpora"].values(), *(each["source"] for each in ledger["benchmarks"])]
    names = dict.fromkeys([model["base_model"], model["name"], *(each["name"] for each in sources)])
    entries = [bibtex(works()[name]) for name in names if name in works()]
    if not entries:
        return ""
    code = "\n".join(entries)
    return "\n" + folded(
        "The works that it was made of and measured with", f"```bibtex\n{code}```\n"
    )


@cache
def works() -> dict[str, dict[str, Any]]:
    """What to cite, by the name of a source."""
    import yaml

    path = resources.files("mathledger.card").joinpath("citations.yaml")
    found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def bibtex(work: dict[str, Any]) -> str:
    """One entry, a field a line; its title keeps its capitals."""
    fields = {
        "author": work["author"],
        "title": f"{{{work['title']}}}",
        "year": work["year"],
        "eprint": work.get("arxiv"),
        "archivePrefix": "arXiv" if "arxiv" in work else None,
        "url": work.get("url"),
    }
    lines = [f"  {key} = {{{value}}},\n" for key, value in fields.items() if value]
    return f"@misc{{{work['key']},\n{''.join(lines)}}}\n"


SECTIONS: tuple[Callable[[Ledger], str], ...] = (
    front_matter,
    title,
    scores,
    subsets,
    responses,
    contamination,
    lambda ledger: memorisation.section(ledger["memorisation"]),
    data,
    training,
    claims,
    limits,
    use,
    inputs,
    reproduce,
    citation,
)


def text(ledger: Ledger) -> str:
    """README.md, section by section; a section that has nothing to say is left out.

    Links lead to files of the repository: of the published one, where params.yaml says where it is,
    since the card is read far from it.
    """
    whole = "\n".join(filter(None, (section(ledger) for section in SECTIONS)))
    whole = re.sub(r"^\| .*", lambda row: UNBREAKABLE.sub("\u00a0", row[0]), whole, flags=re.M)
    return whole.replace("](../", f"]({place(ledger, '')}") if place(ledger, "") else whole
