"""Names and texts use the field's terms: words that no reader of this field would search for stay out.

The list holds words that once stood here for something that has a standard name. What to write instead is beside each.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
SOURCES = sorted(path for path in (PROJECT / "reporting_dags").rglob("*.py") if "sandbox" not in path.parts)

NAMES = {
    "anew": "again",
    "bench": "context",
    "bought": "in_flight",
    "finds": "can_find_lost_jobs",
    "halves": "split",
    "judge": "resolve",
    "leftover": "open_job",
    "leftovers": "open_jobs",
    "mine": "own",
    "said": "payload, message",
    "theirs": "other, control",
    "told": "message",
    "wanted": "requested",
    "worthless": "excluded_rows",
}
"""Identifiers, as a whole or as a part between underscores, and the standard name."""

PHRASES = {
    r"\banew\b": "again",
    r"\bbrings? (?:\w+ )?home\b|\bbrought home\b|\bcomes? home\b": "pull, land",
    r"\bfor ever\b": "forever",
    r"\bin vain\b": "without success",
    r"\bleft ?overs?\b": "open job",
    r"\bmend(?:s|ed|ing)?\b": "repair",
    r"\blies there\b|\blie there\b": "is stored",
    r"\bnobody\b": "no one",
    r"\bout of (?:its |the provider's )?reach\b": "older than the provider's retention",
    r"\bstand(?:s|ing)? twice\b": "is duplicated",
    r"\bthe like\b": "similar",
    r"\braw answers?\b": "raw response",
}
"""What comments, docstrings and messages do not say, and what they say instead."""


def names_in(path: Path) -> Iterator[tuple[int, str]]:
    """Every identifier that the module defines, with its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.FunctionDef() | ast.ClassDef() | ast.AsyncFunctionDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr
            case _:
                pass


def texts_in(path: Path) -> Iterator[tuple[int, str]]:
    """Every comment and string of the module, with its line."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type in {tokenize.COMMENT, tokenize.STRING}:
            yield token.start[0], token.string


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_a_module_names_things_and_writes_in_the_field_s_terms(path: Path) -> None:
    wrong = [
        f"line {line}: {name}: use {NAMES[part]}"
        for line, name in names_in(path)
        for part in name.lower().strip("_").split("_")
        if part in NAMES
    ]
    wrong += [
        f"line {line}: {match[0]!r}: write {instead}"
        for line, text in texts_in(path)
        for phrase, instead in PHRASES.items()
        for match in re.finditer(phrase, text, re.IGNORECASE)
    ]
    assert wrong == []
