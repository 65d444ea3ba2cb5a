"""Tables for people."""

from __future__ import annotations

from edgert.report.tables import Column, markdown, number, percent, shape, text

COLUMNS = (Column("layer", max_width=8), Column("MAC", right=True))


def test_text_aligns_and_keeps_the_end_of_long_names() -> None:
    assert text(COLUMNS, [("conv", "1,234"), ("model/block/conv_7", 5)]).splitlines() == [
        "layer       MAC",
        "--------  -----",
        "conv      1,234",
        "~/conv_7      5",
    ]


def test_markdown_escapes_bars() -> None:
    assert markdown(COLUMNS, [("a|b", 1)]).splitlines() == [
        "| layer | MAC |",
        "| --- | ---: |",
        "| a\\|b | 1 |",
    ]


def test_words() -> None:
    assert number(1234567) == "1,234,567"
    assert number(1.256, 2) == "1.26"
    assert number(None) == "-"
    assert percent(1, 8) == "12.5 %"
    assert percent(1, 0) == "-"
    assert shape((1, 32, 32, 3)) == "1x32x32x3"
