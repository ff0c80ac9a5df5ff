"""Set a sample document as a PDF: serif type, hanging clause numbers, drawn tables, a footer.

Only the standard PDF fonts are used, so nothing is embedded; the file holds no clock time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import cm
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Frame,
    KeepTogether,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
)
from samples_source import Source

INK = HexColor("#1d2430")
FAINT = HexColor("#6a7280")
RULE = HexColor("#b9c0ca")
SHADE = HexColor("#eef1f5")
MARGIN = 2.5 * cm
WIDTH = A4[0] - 2 * MARGIN


def _style(name: str, **changes: object) -> ParagraphStyle:
    plain: dict[str, object] = {
        "fontName": "Times-Roman",
        "fontSize": 11,
        "leading": 15,
        "spaceAfter": 7,
        "textColor": INK,
        "alignment": TA_JUSTIFY,
        "allowWidows": 0,
        "allowOrphans": 0,
    }
    return ParagraphStyle(name, **(plain | changes))


def _hanging(name: str, left: float, number: float) -> ParagraphStyle:
    return _style(
        name, leftIndent=left, bulletIndent=number, bulletFontName="Times-Roman", bulletFontSize=11
    )


STYLES = {
    "title": _style(
        "title",
        fontName="Times-Bold",
        fontSize=20,
        leading=25,
        alignment=TA_CENTER,
        spaceBefore=8,
        spaceAfter=8,
    ),
    "heading": _style(
        "heading",
        fontName="Times-Bold",
        fontSize=13,
        leading=17,
        spaceBefore=12,
        spaceAfter=6,
        keepWithNext=1,
        alignment=0,
    ),
    "centred": _style("centred", alignment=TA_CENTER, fontSize=12, spaceAfter=6),
    "clause": _hanging("clause", 30, 0),
    "part": _hanging("part", 52, 30),
    "point": _hanging("point", 18, 6),
    "paragraph": _style("paragraph"),
    "address": _style("address", alignment=0),
    "cell": _style("cell", fontSize=10.5, leading=13.5, spaceAfter=0, alignment=0),
    "amount": _style("amount", fontSize=10.5, leading=13.5, spaceAfter=0, alignment=2),
    "signer": _style("signer", fontSize=10.5, leading=13.5, spaceAfter=0, alignment=0),
}


def _markup(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text)
    return re.sub(r"\*(.+?)\*", r"<i>\1</i>", text).replace("\n", "<br/>")


def _is_amount(cell: str) -> bool:
    """Whether a table cell reads as a sum of money, which is set to the right."""
    return re.fullmatch(r"\$[\d,.]+|none", cell.strip("*")) is not None


def _pdf_table(rows: list[list[str]]) -> Table:
    longest = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    shares = [min(max(length, 12), 45) for length in longest]
    right = [all(_is_amount(row[column]) for row in rows[1:]) for column in range(len(rows[0]))]
    cells = [
        [
            Paragraph(_markup(cell if n else f"**{cell}**"), STYLES["amount" if flush else "cell"])
            for cell, flush in zip(row, right, strict=True)
        ]
        for n, row in enumerate(rows)
    ]
    return Table(
        cells,
        colWidths=[WIDTH * share / sum(shares) for share in shares],
        repeatRows=1,
        spaceBefore=4,
        spaceAfter=12,
        style=[
            ("GRID", (0, 0), (-1, -1), 0.5, RULE),
            ("BACKGROUND", (0, 0), (-1, 0), SHADE),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("TOPPADDING", (0, 0), (-1, -1), 4),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 5),
        ],
    )


def _pdf_signatures(rows: list[list[str]]) -> KeepTogether:
    """Lines to sign on, two beside each other."""
    cells = [
        Paragraph(f"{_markup(name)}<br/><i>{_markup(role)}</i>", STYLES["signer"])
        for name, role in rows
    ]
    width = WIDTH * 0.475
    style: list[tuple[object, ...]] = [
        ("LINEABOVE", (0, 0), (0, 0), 0.7, INK),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ]
    if len(cells) == 1:
        table = Table([cells], colWidths=[width], style=style, hAlign="LEFT")
    else:
        style.append(("LINEABOVE", (2, 0), (2, 0), 0.7, INK))
        table = Table(
            [[cells[0], "", cells[1]]], colWidths=[width, WIDTH * 0.05, width], style=style
        )
    return KeepTogether([Spacer(1, 42), table, Spacer(1, 14)])


def _pdf_story(source: Source) -> list[Any]:
    story: list[Any] = []
    for block in source.blocks():
        if block.kind == "table":
            story.append(_pdf_table(block.rows))
        elif block.kind == "sign":
            story.append(_pdf_signatures(block.rows))
        elif block.kind == "heading":
            # A heading takes at least three lines of what follows along to the next page.
            story += [CondPageBreak(85), Paragraph(_markup(block.text), STYLES["heading"])]
        else:
            style = "address" if "\n" in block.text else block.kind
            bullet = block.number or ("•" if block.kind == "point" else None)
            story.append(Paragraph(_markup(block.text), STYLES[style], bulletText=bullet))
    return story


def _letterhead(source: Source) -> Callable[[Any, Any], None]:
    """Draw the letterhead, if the source has one, on page 1."""

    def draw(canvas: Any, template: Any) -> None:  # noqa: ANN401 - reportlab has no types
        if "letterhead" not in source.head or template.page > 1:
            return
        firm, line = (part.strip() for part in source.head["letterhead"].split("|"))
        canvas.setFillColor(INK)
        canvas.setFont("Times-Bold", 17)
        canvas.drawString(MARGIN, A4[1] - 2.0 * cm, firm)
        canvas.setFillColor(FAINT)
        canvas.setFont("Times-Roman", 9.5)
        canvas.drawString(MARGIN, A4[1] - 2.55 * cm, line)
        canvas.setStrokeColor(INK)
        canvas.line(MARGIN, A4[1] - 2.8 * cm, A4[0] - MARGIN, A4[1] - 2.8 * cm)

    return draw


def _footer(source: Source, total: int) -> Callable[[Any, Any], None]:
    """Draw the footer; after the page's text, so that a reader of the file meets it last."""

    def draw(canvas: Any, template: Any) -> None:  # noqa: ANN401 - reportlab has no types
        canvas.setStrokeColor(RULE)
        canvas.setLineWidth(0.5)
        canvas.line(MARGIN, 1.9 * cm, A4[0] - MARGIN, 1.9 * cm)
        canvas.setFillColor(FAINT)
        canvas.setFont("Times-Roman", 9)
        canvas.drawString(MARGIN, 1.45 * cm, source.head["footer"])
        canvas.drawRightString(A4[0] - MARGIN, 1.45 * cm, f"Page {template.page} of {total}")

    return draw


def make_pdf(source: Source) -> bytes:
    """The PDF of a source. Set twice, since the first setting tells how many pages there are."""
    total = 0
    while True:
        data, pages = _set_pdf(source, total)
        if pages == total:
            return data
        total = pages


def _set_pdf(source: Source, total: int) -> tuple[bytes, int]:
    out = BytesIO()
    template = BaseDocTemplate(
        out, pagesize=A4, title=source.head["title"], author=source.head["author"], invariant=1
    )
    top, bottom = 2.1 * cm, 2.3 * cm
    frame = Frame(MARGIN, bottom, WIDTH, A4[1] - top - bottom, leftPadding=0, rightPadding=0)
    template.addPageTemplates(
        PageTemplate(frames=[frame], onPage=_letterhead(source), onPageEnd=_footer(source, total))
    )
    story = _pdf_story(source)
    if "letterhead" in source.head:
        story.insert(0, Spacer(1, 1.3 * cm, isGlue=False))
    template.build(story)
    return out.getvalue(), template.page
