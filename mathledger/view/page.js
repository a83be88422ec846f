
"use strict";
const content = JSON.parse(document.getElementById("content").textContent);
const form = document.getElementById("filters");
const PORTION = 20;  // items on the screen at once
const VERDICTS = ["correct", "wrong", "no_answer"], ENDINGS = ["stop", "length", "too_long"];
let matching = [], page = 0;

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// A text is a list of strings, which stay text, and of numbers of formulas.
function written(parts) {
  const box = element("div", {className: "text", dir: "auto"});
  for (const part of parts) {
    if (typeof part === "string") { box.append(part); continue; }
    const [source, mathml] = content.formulas[part];
    if (mathml === null) { box.append(element("code", {}, source)); continue; }
    const drawn = document.createElement("template");
    drawn.innerHTML = mathml;
    const formula = drawn.content.firstElementChild;
    formula.setAttribute("title", source);
    box.append(formula);
  }
  return box;
}

function source(parts) {
  return (parts || []).map((part) => typeof part === "string" ? part : content.formulas[part][0]).join("");
}

function haystack(item) {
  if (item.all === undefined) {
    const said = content.models.flatMap((model) => item.answers[model].shown.flatMap(
      (each) => [each.answer, source(each.thinking), source(each.response)]));
    const rows = item.rows.flatMap((row) => [row.id, row.from, source(row.text)]);
    item.all = [item.id, source(item.problem), item.reference, source(item.solution), ...said, ...rows].join("\n").toLowerCase();
  }
  return item.all;
}

function share(item, model) {
  const own = item.answers[model];
  return own.asked ? own.correct / own.asked : null;
}

function isFlip(item, flip) {
  const [from, to, way] = JSON.parse(flip), before = share(item, from), after = share(item, to);
  if (before === null || after === null) { return false; }
  return way === "gained" ? after > before : after < before;
}

function matches(item, chosen) {
  const models = chosen.model ? [chosen.model] : content.models;
  const responses = models.flatMap((model) => item.answers[model].shown);
  return (!chosen.benchmark || item.benchmark === chosen.benchmark)
    && (!(chosen.verdict || chosen.ending) || responses.some((each) =>
      (!chosen.verdict || each.verdict === chosen.verdict) && (!chosen.ending || each.ending === chosen.ending)))
    && (!chosen.flip || isFlip(item, chosen.flip))
    && (!chosen.subset || item.subsets.includes(chosen.subset))
    && (!chosen.overlap || item.contaminated === (chosen.overlap === "contaminated"))
    && (!chosen.search || haystack(item).includes(chosen.search.toLowerCase()));
}

function answer(each, number, own) {
  const facts = [each.ending, `${each.tokens.toLocaleString("en")} tokens`];
  if (each.ending === "length") { facts[0] = "length (cut)"; }
  if (!each.sure) { facts.push("the grader was not sure"); }
  const verdict = element("b", {className: each.verdict}, each.verdict.replace("_", " "));
  const line = element("p", {className: "quiet"}, verdict, ` · ${facts.join(" · ")}`);
  const found = element("p", {}, "answer: ", each.answer ? element("code", {dir: "auto"}, each.answer) : "none");
  const body = [line, found];
  if (each.thinking.length) {
    body.push(element("details", {}, element("summary", {}, "thinking"), written(each.thinking)));
  }
  body.push(written(each.response));
  if (number === 0) { return body; }
  const head = element("summary", {}, `response ${number + 1} of ${own.asked}: ${each.verdict.replace("_", " ")}`);
  return [element("details", {}, head, ...body)];
}

function side(item, model) {
  const own = item.answers[model], first = own.shown[0];
  const head = own.asked > 1 ? `${model}: ${own.correct} of ${own.asked} correct` : model;
  const box = element("section", {className: first ? first.verdict : ""}, element("h3", {}, head));
  box.setAttribute("aria-label", model);
  own.shown.forEach((each, number) => box.append(...answer(each, number, own)));
  if (!first) { box.append(element("p", {className: "quiet"}, "no response")); }
  return box;
}

function shown(item) {
  const chips = [...item.subsets, item.contaminated ? "contaminated: a training row holds this item" : "no training row holds this item"];
  const box = element("article", {}, element("h2", {}, `${item.benchmark} / ${item.id}`),
    element("div", {className: "chips"}, ...chips.map((text) => element("span", {}, text))),
    written(item.problem),
    element("p", {}, "reference: ", element("code", {dir: "auto"}, item.reference)));
  if (item.solution) {
    box.append(element("details", {}, element("summary", {}, "reference solution"), written(item.solution)));
  }
  if (item.rows.length) {
    const rows = item.rows.flatMap((row) => [
      element("p", {className: "quiet"}, `${row.kind}, ${row.action}: ${row.from}, row ${row.id}`),
      row.text ? written(row.text) : element("p", {className: "quiet"}, "text withheld: the row also overlaps a private benchmark"),
    ]);
    box.append(element("details", {}, element("summary", {}, `overlapping training rows: ${item.rows.length}`), ...rows));
  }
  box.append(element("div", {className: "sides"}, ...content.models.map((model) => side(item, model))));
  return box;
}

function draw() {
  const last = Math.max(0, Math.ceil(matching.length / PORTION) - 1);
  page = Math.min(page, last);
  const portion = matching.slice(page * PORTION, (page + 1) * PORTION);
  document.getElementById("items").replaceChildren(...portion.map(shown));
  document.getElementById("count").textContent =
    `${matching.length.toLocaleString("en")} of ${content.items.length.toLocaleString("en")} items match`;
  document.getElementById("place").textContent = `page ${page + 1} of ${last + 1}`;
  document.getElementById("back").disabled = page === 0;
  document.getElementById("next").disabled = page === last;
}

function filter() {
  const chosen = Object.fromEntries(new FormData(form));
  matching = content.items.filter((item) => matches(item, chosen));
  page = 0;
  const kept = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value));
  try { history.replaceState(null, "", `#${kept}`); } catch (error) { /* MLflow shows the page in a frame without an address */ }
  draw();
}

function offer(name, options) {
  const all = [["", "all"], ...options.map((each) => Array.isArray(each) ? each : [each, each.replaceAll("_", " ")])];
  form.elements[name].replaceChildren(...all.map(([value, text]) => element("option", {value}, text)));
}

function restore() {
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
    const field = form.elements.namedItem(name);
    if (field) { field.value = value; }
    if (field instanceof HTMLSelectElement && field.selectedIndex < 0) { field.value = ""; }
  }
  filter();
}

const flips = content.models.flatMap((from, number) => content.models.slice(number + 1).flatMap((to) => [
  [JSON.stringify([from, to, "gained"]), `${from} wrong, ${to} right`],
  [JSON.stringify([from, to, "lost"]), `${from} right, ${to} wrong`],
]));
offer("benchmark", content.benchmarks.map((name) => [name, name]));
offer("model", content.models.map((name) => [name, name]));
offer("verdict", VERDICTS);
offer("ending", ENDINGS);
offer("flip", flips);
offer("subset", [...new Set(content.items.flatMap((item) => item.subsets))].sort().map((name) => [name, name]));
offer("overlap", ["contaminated", "clean"]);
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(filter));
for (const [id, step] of [["back", -1], ["next", 1]]) {
  document.getElementById(id).addEventListener("click", () => { page += step; draw(); scrollTo(0, 0); });
}
restore();
