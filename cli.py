"""The terminal door: one ``muniment`` command. Parsing and printing only.

A running server is used where there is one; otherwise the command opens the data folder itself.
Results go to standard output, progress and errors to standard error. Exit code 0 is success, 1 a
failure that was told, 2 a wrong call.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tqdm import tqdm

from ingest.engine import open_engine
from ingest.gather import gather
from rag import config, rows
from rag.answer.cite import check
from rag.client import Desk, Local, Remote
from rag.errors import BadRequest, MunimentError, TooLarge
from rag.serve import serve
from rag.specialists import Specialist, read
from rag.store.lock import owner

POLL_SECONDS = 0.2
SETTLED = {"ready", "failed"}

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse names it no other way


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command; ``docs/terminal.md`` is generated from it."""
    top = argparse.ArgumentParser(
        prog="muniment",
        description="A private document assistant: documents in, cited answers out.",
    )
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", type=Path, metavar="DIR", help="data folder (or MUNIMENT_DATA)")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_serve(commands, data)
    _add_ingest(commands, data)
    _add_questions(commands, data)
    _add_check(commands, data)
    _add_documents(commands, data)
    _add_care(commands, data)
    return top


def _add(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
    data: argparse.ArgumentParser,
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text, parents=[data])
    command.set_defaults(run=run)
    return command


def _add_serve(commands: Commands, data: argparse.ArgumentParser) -> None:
    command = _add(commands, "serve", _serve, "Run the web app.", data)
    command.add_argument("--address", help="address to listen on (default: loopback)")
    command.add_argument("--port", type=int, help="port to listen on (default: 8501)")
    command.add_argument(
        "--trust-network",
        action="store_true",
        default=None,
        help="listen beyond this machine though nobody signs in yet",
    )


def _add_ingest(commands: Commands, data: argparse.ArgumentParser) -> None:
    text = "Take in files and folders; returns when every document is ready or failed."
    command = _add(commands, "ingest", _ingest, text, data)
    command.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="file or folder")
    command.add_argument("--workspace", required=True, metavar="W", help="made if it is not there")
    command.add_argument("--json", action="store_true", help="one JSON line a document")


def _add_questions(commands: Commands, data: argparse.ArgumentParser) -> None:
    search = _add(commands, "search", _search, "Find the passages nearest to a question.", data)
    ask = _add(commands, "ask", _ask, "Answer a question, citing the lines it rests on.", data)
    for command in (search, ask):
        command.add_argument("question", nargs="?", metavar="QUESTION")
        command.add_argument("--batch", type=Path, metavar="QUESTIONS.jsonl")
        command.add_argument("--workspace", required=True, metavar="W")
        command.add_argument(
            "--document", action="append", metavar="NAME", help="only this one; may be repeated"
        )
        command.add_argument("--json", action="store_true", help="one JSON line")
    search.add_argument("-k", type=_count, default=10, metavar="N", help="hits at most (10)")


def _add_check(commands: Commands, data: argparse.ArgumentParser) -> None:
    text = "Hold claims against given sources; needs no workspace and no model."
    command = _add(commands, "check", _check, text, data)
    command.add_argument("--batch", type=Path, required=True, metavar="CLAIMS.jsonl")


def _add_documents(commands: Commands, data: argparse.ArgumentParser) -> None:
    listing = _add(commands, "documents", _documents, "List documents and their states.", data)
    listing.add_argument("--workspace", required=True, metavar="W")
    listing.add_argument("--json", action="store_true", help="one JSON line a document")
    deleting = _add(commands, "delete", _delete, "Delete a document, or a whole workspace.", data)
    deleting.add_argument("document", nargs="?", metavar="NAME")
    deleting.add_argument("--workspace", required=True, metavar="W")
    deleting.add_argument("--whole", action="store_true", help="the workspace and all in it")


def _add_care(commands: Commands, data: argparse.ArgumentParser) -> None:
    text = "Rebuild the vectors from the database, without embedding again."
    rebuilding = _add(commands, "reindex", _reindex, text, data)
    rebuilding.add_argument("--workspace", metavar="W", help="only this one")
    text = "Find every disagreement between originals, database, keywords and vectors."
    examining = _add(commands, "doctor", _doctor, text, data)
    examining.add_argument("--repair", action="store_true", help="mend what is found")
    examining.add_argument("--json", action="store_true", help="one JSON line a finding")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code."""
    chosen = parser().parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except MunimentError as error:
        _say(f"muniment: {error}")
        return 1
    except KeyboardInterrupt:
        _say("Stopped. What was taken in is kept; run the command again to go on.")
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has left; nothing is wrong
        return 0


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _print_row(row: rows.Row) -> None:
    print(json.dumps(row, ensure_ascii=False), flush=True)


@contextmanager
def _desk(chosen: argparse.Namespace) -> Iterator[Desk]:
    settings = config.load(data=chosen.data)
    server = owner(settings.data)
    if server is not None and server.url:
        yield Remote(server.url)
        return
    with open_engine(settings) as engine:
        yield Local(engine.assistant)


def _serve(chosen: argparse.Namespace) -> int:
    settings = config.load(
        data=chosen.data,
        address=chosen.address,
        port=chosen.port,
        trust_network=chosen.trust_network,
    )
    return serve(settings)


def _ingest(chosen: argparse.Namespace) -> int:
    files = gather(chosen.paths)
    with _desk(chosen) as desk:
        desk.create_workspace(chosen.workspace)
        refused: dict[str, rows.Row] = {}
        for name, path in _progress(files, "taking in"):
            try:
                desk.upload(chosen.workspace, name, path)
            except (BadRequest, TooLarge) as error:
                refused[name] = _refused_row(name, path, error)
        named = {name for name, _ in files}
        found = _wait(desk, chosen.workspace, named)
    result = [*found, *(row for name, row in refused.items())]
    for row in result:
        if chosen.json:
            _print_row(row)
        else:
            print(_document_line(row))
    return 1 if any(row["status"] == "failed" for row in result) else 0


def _refused_row(name: str, path: Path, error: MunimentError) -> rows.Row:
    return {
        "document": name,
        "status": "failed",
        "reason": str(error),
        "pages": 0,
        "bytes": path.stat().st_size,
        "sha256": None,
    }


def _wait(desk: Desk, workspace: str, names: set[str]) -> list[rows.Row]:
    """Wait until all of the named documents are settled; return their rows."""
    with _bar(len(names), "reading") as bar:
        while True:
            listed = [row for row in desk.documents(workspace) if row["document"] in names]
            bar.n = sum(row["status"] in SETTLED for row in listed)
            bar.refresh()
            if all(row["status"] in SETTLED for row in listed):
                return listed
            time.sleep(POLL_SECONDS)


def _bar(total: int, text: str) -> tqdm[NoReturn]:
    return tqdm(total=total, desc=text, unit="document", disable=not sys.stderr.isatty())


def _progress(files: Sequence[tuple[str, Path]], text: str) -> Iterator[tuple[str, Path]]:
    with _bar(len(files), text) as bar:
        for item in files:
            yield item
            bar.update()


def _document_line(row: rows.Row) -> str:
    pages = f"{row['pages']} pages" if row["pages"] else ""
    return "  ".join(
        part
        for part in (f"{row['status']:<9}", row["document"], pages, row["reason"] or "")
        if part
    )


def _batch(path: Path) -> Iterator[rows.Row]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path.name} cannot be read: {error}.") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                raise BadRequest(f"Line {number} of {path.name} is not JSON: {error}.") from error


def _questions(chosen: argparse.Namespace) -> Iterator[tuple[str, str, list[str] | None]]:
    if (chosen.question is None) == (chosen.batch is None):
        raise BadRequest("Give one question, or --batch with a file of them.")
    if chosen.batch is None:
        yield "", chosen.question, chosen.document
        return
    for row in _batch(chosen.batch):
        try:
            yield str(row["id"]), str(row["question"]), row.get("documents") or chosen.document
        except KeyError as error:
            raise BadRequest(f"A question of {chosen.batch.name} lacks {error}.") from error


def _search(chosen: argparse.Namespace) -> int:
    with _desk(chosen) as desk:
        for identifier, question, documents in _questions(chosen):
            row = desk.search(chosen.workspace, question, documents, chosen.k)
            if chosen.batch or chosen.json:
                _print_row({**row, "id": identifier})
            else:
                _print_hits(row)
    return 0


def _print_hits(row: rows.Row) -> None:
    for hit in row["hits"]:
        print(f"{hit['rank']:>3}  {_place(hit)}\n     {' '.join(hit['text'].split())}\n")
    print(f"confidence {row['confidence']:.2f}")


def _place(row: rows.Row) -> str:
    return row["document"] if row["page"] is None else f"{row['document']}, page {row['page']}"


def _ask(chosen: argparse.Namespace) -> int:
    failed = False
    with _desk(chosen) as desk:
        for identifier, question, documents in _questions(chosen):
            quiet = bool(chosen.batch or chosen.json)
            row: rows.Row = {}
            for name, event in desk.ask(chosen.workspace, question, documents):
                row = event
                if name == "token" and not quiet:
                    print(event["text"], end="", flush=True)
            failed = failed or row["problem"] is not None
            if quiet:
                _print_row({**row, "id": identifier})
            else:
                _print_answer(row)
    return 1 if failed else 0


def _print_answer(row: rows.Row) -> None:
    print()
    if row["notice"]:
        print(f"\n{row['notice']}")
    for sentence in row["sentences"]:
        if sentence["verdict"] != "supported":
            reasons = " ".join(sentence["reasons"])
            print(f"\n! {sentence['verdict']}: {sentence['text']}\n  {reasons}")
    for citation in row["citations"]:
        quote = " ".join(citation["quote"].split())
        print(f"\n[{citation['number']}] {_place(citation)}\n    “{quote}”")
    if row["outcome"] == "abstained":
        for hit in row["nearest"][:3]:
            print(f"\nnearest: {_place(hit)}\n    {' '.join(hit['text'].split())}")
    print(f"\n{row['model']}, {row['seconds']['total']:.1f} s")


def _check(chosen: argparse.Namespace) -> int:
    settings = config.load(data=chosen.data)
    checking = read(settings.specialist, Specialist).checking
    for row in _batch(chosen.batch):
        result = check(str(row["claim"]), [str(text) for text in row["sources"]], checking)
        _print_row(rows.check_row(str(row["id"]), result))
    return 0


def _documents(chosen: argparse.Namespace) -> int:
    with _desk(chosen) as desk:
        for row in desk.documents(chosen.workspace):
            if chosen.json:
                _print_row(row)
            else:
                print(_document_line(row))
    return 0


def _delete(chosen: argparse.Namespace) -> int:
    if bool(chosen.document) == chosen.whole:
        raise BadRequest("Name a document to delete, or say --whole for the workspace.")
    with _desk(chosen) as desk:
        if chosen.whole:
            desk.delete_workspace(chosen.workspace)
        else:
            desk.delete(chosen.workspace, chosen.document)
    return 0


def _reindex(chosen: argparse.Namespace) -> int:
    with _desk(chosen) as desk:
        print(f"{desk.reindex(chosen.workspace)} passages")
    return 0


def _doctor(chosen: argparse.Namespace) -> int:
    with _desk(chosen) as desk:
        findings = desk.doctor(repair=chosen.repair)
    for finding in findings:
        if chosen.json:
            _print_row({"finding": finding})
        else:
            print(finding)
    if not findings and not chosen.json:
        print("Nothing to mend: originals, database, keywords and vectors agree.")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
