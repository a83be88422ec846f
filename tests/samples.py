r"""Write our own corpora and benchmarks in the columns, types and layout of published ones.

Every problem and solution here was written for this project. The files have the quirks of the
published ones: answers as doubles and as zero-padded text, duplicate ids, `####`, null columns, a
dict printed into a solution, and a benchmark problem retyped in a corpus.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]

TEXT = pa.string()
MESSAGE = pa.struct([("content", TEXT), ("role", TEXT)])
NUMINA = pa.schema(
    [("source", TEXT), ("problem", TEXT), ("solution", TEXT), ("messages", pa.list_(MESSAGE))]
)
OPENMATH = pa.schema(
    [(name, TEXT) for name in ("problem", "generated_solution", "expected_answer")]
    + [("problem_source", TEXT)]
)
GSM8K = pa.schema([("question", TEXT), ("answer", TEXT)])
AIME24 = pa.schema(
    [("id", pa.int64())]
    + [(name, TEXT) for name in ("problem", "solution", "answer", "url", "year")]
)
AMC = pa.schema([("id", pa.int64()), ("problem", TEXT), ("answer", pa.float64()), ("url", TEXT)])

# Problem, worked solution, final answer.
CUBES = (
    "If $x + y = 9$ and $x^2 + y^2 = 53$, what is the value of $x^3 + y^3$?",
    "From $2xy = 81 - 53$ we get $xy = 14$, so the sum is $9 \\cdot (53 - 14) = \\boxed{351}$.",
    "351",
)
RHOMBUS = (
    "The diagonals of a rhombus have lengths $10$ and $24$. What is the distance between two "
    "opposite sides? Express your answer as a common fraction.",
    "The side is $13$ and the area $120$, so the height is $\\boxed{\\frac{120}{13}}$.",
    "\\frac{120}{13}",
)
POLAR = (
    "Write the point $(1, \\sqrt{3})$ in polar coordinates $(r, \\theta)$ with $r > 0$ and "
    "$0 \\le \\theta < 2\\pi$.",
    "Here $r = 2$ and $\\tan \\theta = \\sqrt{3}$: $\\boxed{\\left( 2, \\frac{\\pi}{3} \\right)}$.",
    "\\left( 2, \\frac{\\pi}{3} \\right)",
)
HEXAGON = (
    "A regular hexagon has side length $8$. Three of its alternate vertices are joined to form a "
    "triangle. Find the area of that triangle.",
    "The triangle is equilateral with side $8\\sqrt{3}$, so its area is $\\boxed{48\\sqrt{3}}$.",
    "48\\sqrt{3}",
)
INTERVAL = (
    "Find all real $x$ with $x^2 - 5x + 4 < 0$, in interval notation.",
    "The roots are $1$ and $4$, and between them the value is negative: $\\boxed{(1,4)}$.",
    "(1,4)",
)
PARITY = (
    "Is the function $f(x) = x^4 - 3x^2 + 2$ even, odd, or neither?",
    "Since $f(-x) = f(x)$, it is $\\boxed{\\text{even}}$.",
    "\\text{even}",
)
ROLLS = (
    "Nadia\u2019s ovens bake 14 trays of rolls with 9 rolls on each tray. She gives away 23 rolls "
    "and sells the rest for 2 dollars each. How many dollars does she earn?",
    "She bakes 14*9=<<14*9=126>>126 rolls.\nShe sells 126-23=<<126-23=103>>103 of them.\n"
    "That gives 103*2=$<<103*2=206>>206.\n#### 206",
    "206",
)
STADIUM = (
    "A stadium has 25 blocks with 50 seats in each block. On Sunday every seat was taken. How many "
    "people sat in the stadium?",
    "There were 25*50=<<25*50=1250>>1250 people.\n#### 1,250",
    "1250",
)
FROST = (
    "At noon it was 4 degrees. By midnight it was 11 degrees colder. What was the temperature at "
    "midnight?",
    "It was 4-11=<<4-11=-7>>-7 degrees.\n#### -7",
    "-7",
)
STAMPS = (
    "Omar has 56 stamps. He buys 3 albums that already hold 17 stamps each and throws away 8 "
    "damaged stamps. How many stamps does Omar own now?",
    "The albums hold 3*17=<<3*17=51>>51 stamps.\nHe owns 56+51-8=<<56+51-8=99>>99.\n#### 99",
    "99",
)
TRAINS = (
    "Two trains leave towns that are 350 kilometers apart at the same time and travel towards each "
    "other at 60 and 80 kilometers per hour. After how many minutes do they meet?",
    "They approach at 60+80=<<60+80=140>>140 kilometers per hour, so they meet after "
    "350/140*60=<<350/140*60=150>>150 minutes.\n#### 150",
    "150",
)
MATH500 = [
    (*CUBES, "Algebra", 3),
    (*RHOMBUS, "Geometry", 4),
    (*POLAR, "Precalculus", 2),
    (*HEXAGON, "Geometry", 3),
    (*INTERVAL, "Intermediate Algebra", 2),
    (*PARITY, "Algebra", 1),
]
GSM8K_TEST, GSM8K_TRAIN = (ROLLS, STADIUM, FROST), (STAMPS, TRAINS)
CONTEST = [  # Problems with answers from 0 to 999.
    ("Find the remainder when $7^{2025}$ is divided by $1000$.", 807),
    (
        "How many subsets of $\\{1, 2, \\ldots, 12\\}$ contain no two consecutive integers? Find "
        "the remainder of that number divided by $300$.",
        77,
    ),
    ("Find the number of zeros at the end of $137!$ in base $10$, minus $33$.", 0),
    ("Find the smallest positive integer $n$ such that $60n$ is a perfect cube.", 450),
]
AMC_ITEMS = [
    ("A right triangle has legs $20$ and $21$. What is the length of its hypotenuse?", 29.0),
    ("What is the sum of the digits of $10^{16} - 1$?", 144.0),
    ("The fraction $\\frac{m}{n}$ is $0.36$ in lowest terms. What is $m + n$?", 34.0),
]
PRIVATE: list[Row] = [
    {"id": "own-1", "tier": 1, "problem": "Which integer is $2^{41}$?", "answer": 2199023255552},
    {"id": "own-2", "tier": 4, "problem": "What is $\\int_0^1 x e^x dx$?", "answer": "1"},
    {"id": "own-3", "tier": None, "problem": "Simplify $\\sqrt{12}$.", "answer": "2\\sqrt{3}"},
]
PROOF = (
    "Prove that the product of three consecutive integers is divisible by $6$.",
    "One of the three is divisible by $3$ and one of the first two is even. This completes the "
    "proof.",
)
PRINTED = (
    "What is the slope of the line $3x + 2y = 7$?",
    "{'label': 'Solution 1', 'solution': 'It is $\\boxed{-\\frac{3}{2}}$.'}",
)
FOREIGN = ("求方程 $x + 4 = 11$ 的解。", "移项得到这个方程的解是 $\\boxed{7}$。")
PLAIN = [
    (
        f"A box holds ${n}$ red and ${2 * n + 1}$ blue {thing}. {who} takes out ${n - 2}$ of the "
        "red ones and half of those that are left. What remains in the box, counted in all?",
        f"After the first step ${2 * n + 3}$ {thing} are left; the answer is "
        f"$\\boxed{{\\frac{{{2 * n + 3}}}{{2}}}}$.",
        f"\\frac{{{2 * n + 3}}}{{2}}",
    )
    for n, thing, who in [
        (13, "marbles", "Greta"),
        (24, "buttons", "A tailor"),
        (35, "chalk sticks", "The teacher"),
        (46, "fishing hooks", "An angler"),
        (57, "screws", "A joiner"),
    ]
]


def numina(source: str, problem: str, solution: str, *_: str) -> Row:
    messages = [
        {"content": problem, "role": "user"},
        {"content": solution, "role": "assistant"},
    ]
    return {"source": source, "problem": problem, "solution": solution, "messages": messages}


def openmath(source: str, problem: str, solution: str, answer: str) -> Row:
    return {
        "problem": problem,
        "generated_solution": solution,
        "expected_answer": answer,
        "problem_source": source,
    }


def boxed(problem: str, solution: str, answer: str) -> tuple[str, str, str]:
    """Return a GSM8K row in OpenMathInstruct-2's form: a boxed answer and no calculator notes."""
    return problem, f"We compute step by step and get $\\boxed{{{answer}}}$.", answer


def numina_rows() -> list[Row]:
    leak = RHOMBUS[0].replace("$10$", "10").replace("rhombus", "rhombus ")
    rows = [numina("synthetic_math", *each) for each in PLAIN]
    rows += [numina("gsm8k", problem, solution) for problem, solution, _ in GSM8K_TRAIN]
    rows += [numina("amc_aime", leak, *RHOMBUS[1:])]
    rows += [numina("olympiads", *PROOF), numina("amc_aime", *PRINTED), numina("cn_k12", *FOREIGN)]
    rows[0]["messages"] = None
    return rows


def openmath_rows() -> list[Row]:
    rows = [openmath("gsm8k", *boxed(*each)) for each in GSM8K_TRAIN]
    rows += [openmath("gsm8k", *GSM8K_TRAIN[0])]  # Also in the other corpus.
    problem, solution, answer = PLAIN[0]
    another = problem.replace("$13$", "$15$").replace("$27$", "$31$")
    rows += [openmath("augmented_math", another, solution.replace("29", "33"), "\\frac{33}{2}")]
    rows += [openmath("augmented_math", problem, f"Likewise. {solution}", answer)]
    rows += [openmath("augmented_gsm8k", PLAIN[1][0], PLAIN[1][1], "51")]  # Not the stated answer.
    return rows


@dataclass(frozen=True)
class Samples:
    """A folder in the hub's layout and its contents."""

    root: Path
    private: Path
    num_rows: dict[str, int]  # By the name of a corpus or benchmark in conf/.


def write_samples(folder: Path) -> Samples:
    """Write the files of this module as the publishers name them."""
    root = folder / "datasets"

    def parquet(name: str, rows: list[Row], schema: pa.Schema) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)

    def jsonl(path: Path, rows: list[Row]) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    rows, others = numina_rows(), openmath_rows()
    for number, part in enumerate((rows[:6], rows[6:])):
        parquet(f"AI-MO/NuminaMath-CoT/data/train-0000{number}-of-00002.parquet", part, NUMINA)
    one = "00000-of-00001.parquet"
    parquet(f"nvidia/OpenMathInstruct-2/data/train_1M-{one}", others, OPENMATH)
    for split, problems in (("test", GSM8K_TEST), ("train", GSM8K_TRAIN)):
        parquet(
            f"openai/gsm8k/main/{split}-{one}",
            [{"question": each[0], "answer": each[1]} for each in problems],
            GSM8K,
        )
    names = ("problem", "solution", "answer", "subject", "level")
    items: list[Row] = [dict(zip(names, each, strict=True)) for each in MATH500]
    for number, item in enumerate(items):
        item["unique_id"] = f"test/{item['subject'].lower().replace(' ', '_')}/{number}.json"
    jsonl(root / "HuggingFaceH4/MATH-500/test.jsonl", items)
    contest = [
        {"id": 60 + number, "problem": problem, "solution": None, "answer": f"{answer:03}"}
        | {"url": "https://example.org", "year": "2024"}
        for number, (problem, answer) in enumerate(CONTEST)
    ]
    parquet(f"HuggingFaceH4/aime_2024/data/train-{one}", contest, AIME24)
    contest = [
        {"problem": f"{problem} Explain.", "answer": answer, "id": str(number)}
        for number, (problem, answer) in enumerate(CONTEST)
    ]
    jsonl(root / "math-ai/aime25/test.jsonl", contest)
    amc = [
        {"id": number // 2, "problem": problem, "answer": answer, "url": "https://example.org"}
        for number, (problem, answer) in enumerate(AMC_ITEMS)
    ]
    parquet(f"AI-MO/aimo-validation-amc/data/train-{one}", amc, AMC)
    private = jsonl(folder / "private/items.jsonl", PRIVATE)
    num_rows = {"numinamath_cot": len(rows), "openmathinstruct2": len(others)}
    num_rows |= {"aime24": len(CONTEST), "aime25": len(CONTEST), "amc12": len(AMC_ITEMS)}
    num_rows |= {"gsm8k": len(GSM8K_TEST), "math500": len(MATH500)}
    return Samples(root, private, num_rows)
