"""Commands in the docs work: cheap ones are run, and the others parse and compose."""

import argparse
import ast
import itertools
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from docs import measured, outputs
from mathledger import __version__, cli
from mathledger.card.markdown import percent
from mathledger.core.files import read_json
from mathledger.data import pins
from tests.conftest import ROOT, forking_environment
from tests.test_conf import WANTED, load_all

PAGES = [Path(name) for name in ("README.md", "CONTRIBUTING.md", "bench/README.md")]
# tests/test_extending.py runs all commands of docs/extending.md.
PAGES += sorted(set(Path("docs").glob("*.md")) - {Path("docs/extending.md")})
EVERY_PAGE = sorted({*PAGES, *Path("docs").rglob("*.md"), Path("CHANGELOG.md")})
OURS = ("python -m ", "dvc ", "mathledger ", "make ")
TARGETS = set(re.findall(r"^([a-z]+):", Path("Makefile").read_text(), re.M))
EXTRAS = tomllib.loads(Path("pyproject.toml").read_text())["project"]["optional-dependencies"]
ENVIRONMENT = {".venv/bin/activate"}  # `make setup` creates it.

# These commands are run unchanged, in a clone without data but with these files.
STAND_INS = {
    "CARD.md": "tests/audit/cards/seed.md",
    "results.yaml": "tests/audit/cards/known.yaml",
    "my_corpus/rows.jsonl": "tests/audit/cards/known.yaml",
}
RUN = [
    "make help",
    "python -m stages.params --check",
    "python -m stages.params experiment=smoke",
    "git restore params.yaml",
    "git diff --stat -- metrics model_card plots",
    "dvc metrics diff",
    "dvc exp show",
    "mathledger audit CARD.md",
    "mathledger audit README.md --known results.yaml",
    "python -m mathledger audit tests/audit/cards/seed.md --known tests/audit/cards/known.yaml",
    "python -m mathledger.data.pins local ~/my_corpus",
    "openssl ecparam -name prime256v1 -genkey -noout -out key.pem",
    "openssl ec -in key.pem -pubout -out key.pub",
]
# Each test may run in a process and a clone of its own, so it first runs what its command needs.
FIRST = {RUN[-1]: RUN[-2]}


@dataclass(frozen=True)
class Command:
    page: Path
    text: str
    is_whole: bool  # A mention in a sentence may stop at its subcommand.

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)


def commands(page: Path) -> Iterator[Command]:
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"^```bash\n(.*?)^```", text, re.M | re.S):
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            for part in re.sub(r"(^|\s+)#.*", "", line).split(" && "):
                if part:
                    yield Command(page, part, True)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    for span in re.findall(r"`([^`\n]+)`", prose):
        if span.startswith(OURS):
            yield Command(page, span, False)


COMMANDS = list({str(each): each for page in PAGES for each in commands(page)}.values())


class Parsed(Exception):  # noqa: N818 - it is none
    """Raised once the arguments have been parsed, so that nothing more is run."""


@pytest.fixture(autouse=True)
def _stops_once_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every module stop after it has parsed its arguments."""
    parse = argparse.ArgumentParser.parse_args

    def parse_only(self: argparse.ArgumentParser, *given: object) -> None:
        parse(self, *given)  # type: ignore[call-overload]
        raise Parsed

    def accept(*_: object) -> None:
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
    for name in ("local_pins", "_print_hub"):
        monkeypatch.setattr(pins, name, accept)


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_command_of_the_docs_parses(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    words = list(itertools.dropwhile(lambda word: re.match(r"[A-Z_]+=", word), command.words))
    if not command.is_whole and (len(words) < 2 or words[-1] == "..." or "dvc" in words[0]):
        check_mention(words)
        return
    match words:
        case ["make", *targets]:
            assert {target for target in targets if "=" not in target} <= TARGETS
        case ["dvc", *arguments]:
            check_dvc(arguments)
        case ["mathledger", *arguments] if command.is_whole:
            with pytest.raises(Parsed):
                cli.parser().parse_args(arguments)
        case ["mathledger", *_]:
            check_mention(words)
        case ["python" | "python3", "-m", "venv", _] | ["cd", _]:
            pass
        case ["python", "-m", "pytest", *paths]:
            assert all(Path(path).exists() for path in paths)
        case ["python", "-m", "stages.params", *overrides]:
            check_overrides([each for each in overrides if each != "--check"])
        case [
            "python",
            "-m",
            "docs.configuration"
            | "docs.measured"
            | "docs.outputs"
            | "locks.platforms"
            | "mathledger.run.repair",
        ]:
            check_mention(words)  # They take no argument.
        case ["python", "-m", module, *arguments]:
            monkeypatch.setattr(sys, "argv", [module, *arguments])
            with pytest.raises(Parsed):
                run_main(module)
        case ["python", script]:
            assert Path(script).is_file()
        case ["source", path]:
            assert path in ENVIRONMENT
        case ["mlflow", "server", *arguments]:
            from mlflow.cli import server  # The import takes two seconds.

            server.make_context("mlflow server", arguments)  # click parses it and runs nothing.
        case ["export", *pairs]:
            from mlflow import environment_variables

            names = [pair.partition("=")[0] for pair in pairs]
            assert all(hasattr(environment_variables, name) for name in names)
        case ["git", *arguments]:
            check_git(arguments)
        case [program, "install", *wanted] if program.endswith("pip"):
            check_install(wanted)
        case _:
            assert command.text in RUN, "neither run nor checked: add it to tests/test_docs.py"


def run_main(module: str) -> None:
    """Run a module like `python -m`, but keep patches in loaded modules."""
    if module == "mathledger.data.pins":
        pins.main()
    else:
        loaded = sys.modules.pop(module, None)
        try:
            runpy.run_module(module, run_name="__main__")
        finally:
            if loaded:
                sys.modules[module] = loaded


def check_mention(words: list[str]) -> None:
    """Check that the module, target or subcommand that a sentence mentions exists."""
    match words:
        case ["python", "-m", module, *_]:
            assert (
                Path(module.replace(".", "/")).with_suffix(".py").exists()
                or (Path(module.replace(".", "/")) / "__main__.py").exists()
            )
        case ["mathledger", name, *_]:
            parser = cli.parser()
            assert name in {*_subcommands(parser), *parser._option_string_actions}
        case ["dvc", *arguments]:
            parser = dvc_parser()
            for word in arguments:
                if word in (known := _subcommands(parser)):
                    parser = known[word]
            assert parser.prog != "dvc"
        case ["make", target, *_]:
            assert target in TARGETS or "=" in target


def _subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


@cache
def dvc_parser() -> argparse.ArgumentParser:
    from dvc.cli.parser import get_main_parser

    parser: argparse.ArgumentParser = get_main_parser()
    return parser


def check_dvc(arguments: list[str]) -> None:
    from dvc.utils.hydra import get_hydra_sweeps

    options, unknown = dvc_parser().parse_known_args(arguments)
    assert not unknown
    assert options.func
    if overrides := getattr(options, "set_param", None):
        points = get_hydra_sweeps({"params.yaml": overrides})
        assert options.queue or len(points) == 1, "a sweep needs --queue"
        for point in points:
            check_overrides(point["params.yaml"])
    for target in getattr(options, "targets", None) or []:
        assert target in Path("dvc.yaml").read_text() or Path(target).exists()


def check_overrides(overrides: list[str]) -> None:
    """Check that the overrides, plus the user's values, compose and that every section loads."""
    overrides = [each.replace("SHA256", "a" * 64) for each in overrides]
    for each in list(overrides):
        if each.startswith("experiment="):
            text = Path(f"conf/experiment/{each.partition('=')[2]}.yaml").read_text()
            overrides += [w.format(group="") for option, w in WANTED.items() if option in text]
    load_all(overrides)


def check_git(arguments: list[str]) -> None:
    match arguments:
        case ["clone", "URL"] | ["push"] | ["pull"] | ["commit", "--all", "--message", _]:
            pass
        case ["restore", *paths] | ["diff", "--stat", "--", *paths] | ["add", *paths]:
            assert all(Path(path).exists() for path in paths)
        case _:
            assert False, "not checked: add it to tests/test_docs.py"  # noqa: B011


def check_install(wanted: list[str]) -> None:
    for word in wanted:
        if word.endswith(".txt"):
            assert Path(word).exists()
        elif extra := re.fullmatch(r"(?:\.|mathledger)\[(\w+)\]", word):
            assert extra[1] in EXTRAS
        else:
            # Only the pictures of the docs need these.
            assert word in {"--requirement", "--constraint", "-e", "--editable", "playwright", "."}


# --- Run ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clone the last commit without data and copy the current files into it."""
    folder = tmp_path_factory.mktemp("docs") / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    for name, source in STAND_INS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(source, folder / name)
    return folder


@pytest.mark.parametrize("text", RUN)
@pytest.mark.slow
def test_command_of_the_docs_runs(text: str, clone: Path) -> None:
    assert text in {command.text for command in COMMANDS}, "no page has it anymore"
    # The environment is the tests' own, and the code is the clone's.
    text = f"{FIRST[text]} && {text}" if text in FIRST else text
    line = re.sub("^make", "make --old-file .venv/.ready", text)
    line = re.sub("^mathledger", "python -m mathledger", line)
    environment = forking_environment() | {"OMP_NUM_THREADS": "1"}
    if "~" in text:
        environment["HOME"] = str(clone)
    done = subprocess.run(
        ["bash", "-ec", line], cwd=clone, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


# --- The messages of the FAQ ----------------------------------------------------------------------

FAQ = Path("docs/faq.md")
HEADINGS = re.findall(r"^### `(.*)`$", FAQ.read_text(encoding="utf-8"), re.M)
MISTAKES = re.findall(r"^\|[^|]*\| `(.*)` \|$", Path("docs/extending.md").read_text("utf-8"), re.M)
FOREIGN = {  # Messages of other packages, with their source.
    "Could not override": "hydra/_internal/config_loader_impl.py",
    "Sweep overrides": "dvc/repo/experiments/run.py",
    "Unable to acquire lock": "dvc/lock.py",
    "is busy": "dvc/rwlock.py",
    "Unable to read RWLock-file": "dvc/rwlock.py",
    "output '": "dvc/output.py",
    "not found inside": "dvc/stage/exceptions.py",
    "Invalid Host header": "mlflow/server/security_utils.py",
}


@pytest.fixture(scope="module")
def messages() -> list[str]:
    """Return the texts in the project's code, with `...` for values."""
    folders = ("stages", "mathledger", "hydra_plugins")
    paths = [path for folder in folders for path in Path(folder).rglob("*.py")]
    return [text for path in paths for text in texts(path)]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def constants_of(path: Path) -> dict[str, str]:
    """Return the path constants that a module defines or imports from our modules."""
    constants = {}
    for node in parsed(path).body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.Call(func=ast.Name(id="Path"), args=[ast.Constant(value=value)]),
            ):
                constants[name] = str(value)
            case ast.ImportFrom(module=str(module)) if module.startswith("mathledger."):
                imported = Path(f"{module.replace('.', '/')}.py")
                if imported.is_file():
                    theirs = constants_of(imported)
                    names = {alias.name for alias in node.names}
                    constants |= {name: theirs[name] for name in names & theirs.keys()}
    return constants


def texts(path: Path) -> Iterator[str]:
    constants = constants_of(path)
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value)
                if isinstance(part, ast.Constant)
                else constants.get(ast.unparse(part.value), "...")
                if isinstance(part, ast.FormattedValue)
                else ""
                for part in node.values
            )


@pytest.mark.parametrize("heading", [*HEADINGS, *MISTAKES])
def test_a_message_of_the_docs_is_one_that_is_given(heading: str, messages: list[str]) -> None:
    pieces = [piece.strip(" :;,()/'`") for piece in heading.split("...")]
    wanted = re.compile(".*".join(re.escape(piece) for piece in pieces if piece), re.S)
    for words, where in FOREIGN.items():
        if words in heading:
            import dvc

            messages = list(texts(Path(dvc.__file__).parent.parent / where))
    assert any(wanted.search(text) for text in messages)


# --- Links, pictures, tables ----------------------------------------------------------------------


def headings(page: Path) -> set[str]:
    """Return the anchors that GitHub gives a page's headings."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", EVERY_PAGE, ids=str)
def test_every_link_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", prose):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), f"{page}: {link}"
        assert not anchor or anchor in headings(target), f"{page}: {link}"


def test_the_readme_is_a_front_page() -> None:
    assert len(Path("README.md").read_text(encoding="utf-8").splitlines()) < 120


def test_the_index_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\(([\w-]+\.md)", Path("docs/index.md").read_text(encoding="utf-8")))
    assert linked == {page.name for page in Path("docs").glob("*.md")} - {"index.md"}


def test_every_picture_is_small_and_shown() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in EVERY_PAGE)
    for picture in Path("docs/images").glob("*.png"):
        assert picture.stat().st_size < 200_000
        assert f"images/{picture.name}" in text


ARCHITECTURE = Path("docs/architecture.md").read_text(encoding="utf-8")


def test_the_table_of_changes_names_files_that_exist() -> None:
    table = ARCHITECTURE.partition("## Where to change what")[2]
    rows = re.findall(r"^\| (?!to\.\.\.|---)(.*) \|$", table, re.M)
    assert len(rows) >= 15
    for row in rows:
        for path in re.findall(r"`([\w./]+)`", row):
            assert Path(path).exists(), path


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(\w+\.\w+\.\w+)`", ARCHITECTURE))))
def test_a_function_of_the_architecture_exists(name: str) -> None:
    module, _, function = name.rpartition(".")
    body = parsed(Path(f"mathledger/{module.replace('.', '/')}.py")).body
    assert function in {node.name for node in body if isinstance(node, ast.FunctionDef)}


def test_the_tables_of_the_benchmarks_are_those_of_the_results() -> None:
    page = measured.PAGE.read_text(encoding="utf-8")
    assert measured.filled(page) == page
    shown = {name for _, name, _ in measured.TABLE.findall(page)}
    assert shown >= {
        file.stem for file in measured.RESULTS.glob("*.json") if "table" in read_json(file)
    }


# --- Numbers --------------------------------------------------------------------------------------


def cells(text: str) -> list[list[str]]:
    """Return the rows of all tables in a page, each as its cells."""
    lines = re.findall(r"^\|(.*)\|$", text.replace("\N{NO-BREAK SPACE}", " "), re.M)
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def test_the_scores_of_the_readme_are_those_of_the_card() -> None:
    card = cells(Path("model_card/README.md").read_text(encoding="utf-8"))
    scores = {row[0]: row[1:3] for row in card if len(row) == 6 and " of " in row[1]}
    tests = {row[0]: (row[3], row[4]) for row in card if row[1:2] == ["tuned - base"]}
    readme = [row for row in cells(Path("README.md").read_text("utf-8")) if "]" in row[1]]
    readme = [row for row in readme if " of " in row[1]]
    assert len(readme) == len(tests) > 0
    for name, base, tuned, difference in readme:
        benchmark = name.partition(" ")[0]
        points, p = tests[benchmark]
        assert [base, tuned] == scores[benchmark]
        assert difference == f"{points}, p {'< ' + p[1:] if p[0] == '<' else '= ' + p}"


def test_counts_in_the_readme_and_tutorial_are_those_of_the_metrics() -> None:
    filtered = read_json(Path("metrics/decontaminate.json"))
    ledger = read_json(Path("model_card/ledger.json"))["predicate"]
    pages = [Path(name).read_text(encoding="utf-8") for name in ("README.md", "docs/tutorial.md")]
    kept, came = filtered["num_kept"], filtered["num_in"]
    assert f"{came} rows in, {kept} kept, {came - kept} removed" in pages[0]
    reasons, hits = filtered["removed_by_reason"], filtered["hits_by_class"]
    assert f"kept {kept} of {came}, {reasons}; pairs found: {hits}" in pages[1]
    assert all(each["num_removed"] == each["num_planted"] for each in ledger["planted"])
    planted = sum(each["num_planted"] for each in ledger["planted"])
    assert f"found all {planted} rows that were planted" in pages[0]
    assert f"They contain {planted} bad rows" in " ".join(pages[1].split())
    responses = sum(
        score["num_samples"] for each in ledger["benchmarks"] for score in each["models"].values()
    )
    assert f"{responses} responses regraded" in pages[0]
    training = read_json(Path("metrics/train.json"))
    assert f"{training['num_examples']} training examples" in pages[0]
    losses = (training["first_validation_loss"], training["last_validation_loss"])
    assert "validation loss {:.3f} -> {:.3f}".format(*losses) in pages[1]


def test_the_output_of_a_command_replaces_what_the_page_showed() -> None:
    page = "Before.\n\n<!-- output: mathledger --version | {} -->\n```\nold\n```\n\nAfter.\n"
    shown = outputs.pasted(page.format("^mathledger "))
    assert shown == page.format("^mathledger ").replace("old", f"mathledger {__version__}")
    assert "```\n```" in outputs.pasted(page.format("^no such line"))


def test_a_block_of_output_shows_only_the_lines_that_its_marker_asks_for() -> None:
    for page in outputs.PAGES:
        for _, wanted, block in outputs.BLOCK.findall(page.read_text(encoding="utf-8")):
            assert block
            assert all(re.search(wanted, line) for line in block.splitlines())


@pytest.mark.parametrize("page", ["README.md", "docs/verify.md"])
def test_what_verify_prints_is_worded_as_on_the_page(page: str) -> None:
    given = [text for path in Path("mathledger/verify").glob("*.py") for text in texts(path)]
    patterns = [".*".join(map(re.escape, text.split("..."))) for text in given if " " in text]
    shown = re.findall(r"^holds   \w+ +(.*)$", Path(page).read_text(encoding="utf-8"), re.M)
    assert shown
    for line in shown:
        assert any(re.fullmatch(pattern, line) for pattern in patterns), line


def test_the_ablation_shown_first_is_the_one_of_its_page() -> None:
    page = Path("docs/experiments.md").read_text(encoding="utf-8")
    ledger = read_json(Path("model_card/ledger.json"))["predicate"]
    for name in ("README.md", "docs/tutorial.md"):
        shown = re.findall(r"^(?:HEAD|contaminated) .*$", Path(name).read_text("utf-8"), re.M)
        assert len(shown) == 2
        assert all(line in page for line in shown)
        for benchmark in ledger["benchmarks"]:
            accuracy = benchmark["models"]["tuned"]["accuracy"]
            assert f" {percent(accuracy, benchmark['num_items'])} [" in shown[0]
