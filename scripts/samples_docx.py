"""Write a sample document as DOCX: real headings, tables and a footer with a page field.

Clause numbers are text, as in most offices' files, so that a quotation holds them.
"""

from __future__ import annotations

import re
import zipfile
from datetime import datetime
from io import BytesIO
from typing import Any

import docx
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt, RGBColor
from samples_source import Block, Source

INLINE = re.compile(r"(\*\*.+?\*\*|\*.+?\*)")


def _runs(paragraph: Any, text: str) -> None:  # noqa: ANN401 - python-docx has no types
    for piece in INLINE.split(text):
        bold, italic = piece.startswith("**"), piece.startswith("*")
        run = paragraph.add_run(piece.strip("*") if bold or italic else piece)
        run.bold = True if bold else None
        run.italic = True if italic and not bold else None


def _page_number(paragraph: Any) -> None:  # noqa: ANN401
    for kind, text in (("begin", None), (None, "PAGE"), ("end", None)):
        element = OxmlElement("w:fldChar" if kind else "w:instrText")
        if kind:
            element.set(qn("w:fldCharType"), kind)
        else:
            element.text = text
        paragraph.add_run()._r.append(element)  # noqa: SLF001 - fields have no public call


def _restyle(document: Any) -> None:  # noqa: ANN401
    sizes = {"Normal": 11, "Title": 20, "Heading 1": 13, "Footer": 9}
    for name, size in sizes.items():
        style = document.styles[name]
        style.font.name, style.font.size = "Times New Roman", Pt(size)
        style.font.color.rgb = RGBColor(0x1D, 0x24, 0x30)
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for script in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
            fonts.attrib.pop(qn(f"w:{script}"), None)
    document.styles["Normal"].paragraph_format.space_after = Pt(7)
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21.0), Cm(29.7)
    section.left_margin = section.right_margin = Cm(2.5)
    section.top_margin = section.bottom_margin = Cm(2.4)


def _docx_table(document: Any, rows: list[list[str]]) -> None:  # noqa: ANN401
    table = document.add_table(rows=len(rows), cols=len(rows[0]), style="Table Grid")
    for n, row in enumerate(rows):
        for cell, text in zip(table.rows[n].cells, row, strict=True):
            cell.paragraphs[0].paragraph_format.space_after = Pt(2)
            cell.paragraphs[0].add_run(text).bold = True if n == 0 else None
    document.add_paragraph()


def _docx_block(document: Any, block: Block) -> None:  # noqa: ANN401
    if block.kind == "table":
        _docx_table(document, block.rows)
    elif block.kind == "sign":
        for name, role in block.rows:
            paragraph = document.add_paragraph("_" * 36 + "\n" + name + "\n")
            paragraph.add_run(role).italic = True
            paragraph.paragraph_format.space_before = Pt(26)
            paragraph.paragraph_format.keep_together = True
    elif block.kind in {"title", "heading"}:
        document.add_heading(block.text, level=0 if block.kind == "title" else 1)
    else:
        paragraph = document.add_paragraph(f"{block.number}\t" if block.number else "")
        _runs(paragraph, block.text)
        if block.kind == "centred":
            paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        if block.number:
            indent = Cm(1.1 if block.kind == "clause" else 1.9)
            paragraph.paragraph_format.left_indent = indent
            hang = Cm(-1.1 if block.kind == "clause" else -0.8)
            paragraph.paragraph_format.first_line_indent = hang


def make_docx(source: Source) -> bytes:
    """The DOCX of a source, its dates and the order of its parts fixed."""
    document: Any = docx.Document()
    _restyle(document)
    about = document.core_properties
    about.title, about.author = source.head["title"], source.head["author"]
    about.created = about.modified = source.date.replace(tzinfo=None)
    about.last_modified_by, about.comments, about.revision = "", "", 1
    if "letterhead" in source.head:
        firm, line = (part.strip() for part in source.head["letterhead"].split("|"))
        header = document.sections[0].header.paragraphs[0]
        header.add_run(firm).bold = True
        header.add_run("\n" + line).font.size = Pt(9)
    for block in source.blocks():
        _docx_block(document, block)
    footer = document.sections[0].footer.paragraphs[0]
    footer.add_run(source.head["footer"] + "\t\tPage ")
    _page_number(footer)
    out = BytesIO()
    document.save(out)
    return _fixed_zip(out, source.date)


def _fixed_zip(packed: BytesIO, date: datetime) -> bytes:
    """The same archive with one date on every part; the content types stay first."""
    out = BytesIO()
    stamp = (date.year, date.month, date.day, 12, 0, 0)
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(out, "w") as new:
        for part in old.infolist():
            entry = zipfile.ZipInfo(part.filename, stamp)
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(part.filename))
    return out.getvalue()
