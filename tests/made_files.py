"""Small real files for the tests of reading: PDFs by reportlab and by hand, Word by python-docx."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from docx import Document as WordDocument
from pypdf import PdfReader, PdfWriter
from pypdf.generic import RectangleObject
from reportlab.lib.pagesizes import letter
from reportlab.pdfgen.canvas import Canvas

LEASE = (
    "LEASE AGREEMENT",
    "",
    "12. Notice. The tenant must give ninety days' written",
    "notice before leaving the premises. The landlord shall",
    "return the deposit of $1,200.50 within thirty days.",
)


def pdf(path: Path, pages: Sequence[Sequence[str]] = (LEASE,), title: str = "") -> Path:
    """Write a PDF with these lines on its pages, 18 points apart from 72 points below the top."""
    canvas = Canvas(str(path), pagesize=letter, pageCompression=1)
    canvas.setTitle(title)
    for lines in pages:
        canvas.setFont("Helvetica", 12)
        for number, line in enumerate(lines):
            canvas.drawString(72, letter[1] - 72 - 18 * number, line)
        canvas.showPage()
    canvas.save()
    return path


def changed_pdf(
    source: Path,
    path: Path,
    *,
    rotation: int = 0,
    crop: tuple[float, float, float, float] | None = None,
    password: str | None = None,
) -> Path:
    """Write a copy of a PDF, rotated, cropped (left, bottom, right, top) or encrypted."""
    writer = PdfWriter(clone_from=PdfReader(source))
    for page in writer.pages:
        if crop:
            page.cropbox = RectangleObject(crop)
        if rotation:
            page.rotate(rotation)
    if password is not None:
        writer.encrypt(password, "owner", algorithm="AES-256")
    writer.write(path)
    return path


def raw_pdf(path: Path, objects: Sequence[bytes], trailer: bytes = b"") -> Path:
    """Write a PDF from its objects' bodies; the first is the catalogue."""
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%b\nendobj\n" % (number, body))
    table = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    for place in places:
        out.write(b"%010d 00000 n \n" % place)
    out.write(b"trailer\n<< /Size %d /Root 1 0 R %b >>\n" % (len(objects) + 1, trailer))
    out.write(b"startxref\n%d\n%%%%EOF\n" % table)
    path.write_bytes(out.getvalue())
    return path


def stream(data: bytes, entries: bytes = b"", times: int = 1) -> bytes:
    """Return a stream object's body, deflated once (or several times over)."""
    for _ in range(times):
        data = zlib.compress(data, 9)
    filters = b" ".join([b"/FlateDecode"] * times)
    return b"<< /Length %d /Filter [%b] %b >>\nstream\n%b\nendstream" % (
        len(data),
        filters,
        entries,
        data,
    )


def page_with(content: bytes, resources: bytes = b"") -> list[bytes]:
    """Return the objects of a PDF of one page with this content stream's body."""
    return [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> %b >> >>" % resources,
        content,
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]


def word(path: Path) -> Path:
    """Write a Word document with headings, a numbered clause, a table and two languages."""
    document = WordDocument()
    document.core_properties.title = "Engagement letter"
    document.add_heading("Terms of engagement", level=1)
    document.add_paragraph("We act for you in the matter of the estate.")
    document.add_heading("Fees", level=2)
    document.add_paragraph("Our fees are billed monthly.", style="List Number")
    document.add_paragraph("Expenses are billed at cost.", style="List Number")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(
        [*table.rows[0].cells, *table.rows[1].cells],
        ["Partner", "$400 an hour", "Associate", "$250 an hour"],
        strict=True,
    ):
        cell.text = text
    document.add_paragraph("Das Gericht entscheidet. שלום עולם")
    document.save(str(path))
    return path


def rezipped(source: Path, path: Path, changes: dict[str, bytes]) -> Path:
    """Write a copy of a zip archive with some of its members replaced."""
    with (
        zipfile.ZipFile(source) as old,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, changes.get(name, old.read(name)))
    return path


def zeros(megabytes: int) -> Iterator[bytes]:
    """Yield so many megabytes of spaces."""
    for _ in range(megabytes):
        yield b" " * 1_000_000
