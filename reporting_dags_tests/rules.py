"""The rules of the reporting APIs that docs/rules.md calls documented."""

import re
from pathlib import Path

RULES = Path(__file__).parents[1] / "docs" / "rules.md"
_ROW = re.compile(r"\| (?P<rule>[A-Z]{2}\d+) \| (?P<standing>[^|]+) \|")


def documented_rules() -> list[str]:
    """Their ids, in the document's order; a rule that is documented in part counts."""
    lines = RULES.read_text(encoding="utf-8").splitlines()
    rows = [found for line in lines if (found := _ROW.match(line))]
    return [row["rule"] for row in rows if "documented" in row["standing"]]
