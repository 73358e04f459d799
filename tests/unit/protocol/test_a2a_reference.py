"""docs/reference/a2a.md names a test for each demand of the specification."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def rows() -> list[list[str]]:
    """The cells of the table's rows."""
    text = (ROOT / "docs" / "reference" / "a2a.md").read_text()
    table = text.partition("| section |")[2].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table if line.startswith("|")]


def test_every_test_that_the_table_names_exists() -> None:
    defined = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^ *(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    named = {name for row in rows() for name in re.findall(r"`(test_\w+)`", row[3])}

    assert len(named) > 40
    assert named - defined == set()


def test_every_demand_is_met_and_has_a_test() -> None:
    for section, demand, how, tests in rows():
        assert "`test_" in tests, f"{section}: {demand}"
        assert "not met" not in how, f"{section}: {demand}"
