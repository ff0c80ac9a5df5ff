r"""Make the sample documents from our own text: ``python scripts/make_samples.py [FOLDER]``.

Every file of ``data/samples/source`` becomes one file of ``data/samples/documents`` (or FOLDER).
A source begins with ``key: value`` lines up to ``---``; ``file`` is the name of the document and
its ending decides what is made. The body of a TXT or MD document is written as it stands. The
body of a PDF or DOCX document has one block between blank lines:

``# Title``, ``## Heading``, ``^ centred``, ``- point``, ``| table | row |`` (the first row is the
head), ``4.1 clause`` and ``(a) part`` (hanging, the number is text), ``~ name | capacity`` (a line
to sign on), anything else a paragraph. ``**bold**``, ``*italic*``, and ``\`` for a line break.

The same source gives the same bytes: dates come from the source, nothing from the clock, and PDFs
use the standard fonts that every viewer has. Only another zlib could pack the same content
differently. This file knows nothing of the product; it needs reportlab and python-docx.
"""

from __future__ import annotations

import sys
from pathlib import Path

from samples_docx import make_docx
from samples_pdf import make_pdf
from samples_source import Source, read_source

SAMPLES = Path(__file__).resolve().parent.parent / "data" / "samples"


def make(source: Source) -> bytes:
    """The bytes of the document of a source, by the ending of its name."""
    ending = Path(source.head["file"]).suffix
    if ending == ".pdf":
        return make_pdf(source)
    if ending == ".docx":
        return make_docx(source)
    return source.body.encode()


def main(folder: Path) -> None:
    """Write every document into ``folder``, over what is there."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted((SAMPLES / "source").glob("*.txt")):
        source = read_source(path)
        data = make(source)
        (folder / source.head["file"]).write_bytes(data)
        print(f"{len(data):>8}  {source.head['file']}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES / "documents")
