"""`mathledger gate POLICY`: exit with status 1 if a score breaks a policy, for CI.

A policy (docs/gate.md) lists rules such as "chain_sum of tuned must not fall by more than 2 points
against main, with 95% confidence". The intervals are those of the paired tests
(docs/statistics.md), so noise alone does not break a rule, and a small drop that the items can
show does.

The module policy reads the rules, load reads the scores, compute decides, and render formats.
"""

import argparse

from mathledger import terminal
from mathledger.gate import compute, load, policy, render


def run(arguments: argparse.Namespace) -> int:
    """Print the verdict on each rule; the status is 1 if any rule is broken."""
    rules = policy.read(arguments.policy)
    base = arguments.base or rules.base
    scores = load.scores(arguments.revision, base, rules.rules)
    findings = [compute.judge(rule, score) for rule, score in zip(rules.rules, scores, strict=True)]
    if arguments.json:
        print(terminal.json_text(render.content(findings, base), 1))
    elif arguments.markdown:
        terminal.show(render.markdown(findings, base))
    else:
        terminal.show(render.text(findings, base), render.STYLES)
    return int(any(not each.passes for each in findings))
