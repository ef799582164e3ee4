# SPDX-License-Identifier: Apache-2.0
"""docs/dev/handler-contract-coverage.md names every behaviour once, and only tests that exist."""
import pathlib
import re

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGE = TOP / "docs/dev/handler-contract-coverage.md"
BEHAVIOURS = 124


def rows():
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if re.fullmatch(r"\d+(-\d+)?", cells[0]):
            first, _, last = cells[0].partition("-")
            yield range(int(first), int(last or first) + 1), cells[2]


def test_every_behaviour_is_there_once():
    assert [n for numbers, _ in rows() for n in numbers] == list(range(1, BEHAVIOURS + 1))


def test_every_behaviour_has_a_test_or_a_reason():
    for numbers, cell in rows():
        assert re.search(r"`[\w/.]+::\w+`", cell) or cell.startswith("does not apply: "), numbers


def test_every_test_that_is_named_exists():
    for numbers, cell in rows():
        for file, name in re.findall(r"`([\w/.]+)::(\w+)`", cell):
            text = (TOP / "tests" / file).read_text()
            found = rf"^def {name}\(" if file.endswith(".py") else rf"\bCHECK_TEST\({name}\)"
            assert re.search(found, text, re.M), f"{numbers}: {file} has no {name}"
