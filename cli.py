"""The terminal door: one ``muniment`` command. Parsing and printing only.

A running server is used where there is one; otherwise the command opens the data folder itself.
Results go to standard output, progress and errors to standard error. Exit code 0 is success, 1 a
failure that was told, 2 a wrong call.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
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

POLL_SECONDS = 0.5
SETTLED = {"ready", "failed"}
MOST_HITS = 1000

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse names it no other way


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command; ``docs/terminal.md`` is generated from it."""
    top = argparse.ArgumentParser(
        prog="muniment",
        description="A private document assistant: documents in, cited answers out.",
    )
    told = "data folder (or MUNIMENT_DATA)"
    top.add_argument("--data", type=Path, metavar="DIR", help=told)
    # After the command too; left out there, it keeps what was said before the command.
    data = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    data.add_argument("--data", type=Path, metavar="DIR", help=told)
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
    command.set_defaults(run=run, refuse=command.error)
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
        command.add_argument(
            "question",
            nargs="?",
            metavar="QUESTION",
            help="in the documents' own words, if you can",
        )
        command.add_argument(
            "--batch",
            type=Path,
            metavar="QUESTIONS.jsonl",
            help="a file of questions, one JSON object a line, in place of QUESTION",
        )
        command.add_argument(
            "--workspace", required=True, metavar="W", help="the workspace to look in"
        )
        command.add_argument(
            "--document", action="append", metavar="NAME", help="only this one; may be repeated"
        )
        command.add_argument("--json", action="store_true", help="print one JSON line")
    search.add_argument(
        "-k", type=_count, default=10, metavar="N", help=f"hits at most (10; up to {MOST_HITS})"
    )


def _add_check(commands: Commands, data: argparse.ArgumentParser) -> None:
    text = "Hold claims against given sources; needs no workspace and no model."
    command = _add(commands, "check", _check, text, data)
    command.add_argument(
        "--batch",
        type=Path,
        required=True,
        metavar="CLAIMS.jsonl",
        help="a file of claims with their sources, one JSON object a line",
    )


def _add_documents(commands: Commands, data: argparse.ArgumentParser) -> None:
    listing = _add(commands, "documents", _documents, "List documents and their states.", data)
    listing.add_argument("--workspace", required=True, metavar="W", help="whose documents")
    listing.add_argument("--json", action="store_true", help="one JSON line a document")
    deleting = _add(commands, "delete", _delete, "Delete a document, or a whole workspace.", data)
    deleting.add_argument(
        "document", nargs="?", metavar="NAME", help="the document, as “documents” lists it"
    )
    deleting.add_argument("--workspace", required=True, metavar="W", help="the workspace it is in")
    deleting.add_argument(
        "--whole", action="store_true", help="in place of NAME: the workspace and all in it"
    )


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
        # Whoever read our output has left; nothing is wrong. What is still to be flushed at the
        # end must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MOST_HITS:
        raise argparse.ArgumentTypeError(f"must be 1 to {MOST_HITS}")
    return number


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _piece(text: str) -> str:
    """Return text without what a terminal would take for a command."""
    return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)


def _line(text: str) -> str:
    return " ".join(_piece(text).split())


def _print_row(row: rows.Row) -> None:
    print(rows.line(row), flush=True)


@contextmanager
def _desk(chosen: argparse.Namespace) -> Iterator[Desk]:
    settings = config.load(data=chosen.data)
    server = owner(settings.data)
    if server is not None and server.url:
        with closing(Remote(server.url)) as remote:
            yield remote
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
        workspace = desk.create_workspace(chosen.workspace)
        taken: dict[int, str] = {}
        refused: list[rows.Row] = []
        for name, path in _progress(files, "taking in"):
            try:
                row = desk.upload(workspace, name, path)
            except (BadRequest, TooLarge) as error:
                refused.append(rows.refused_row(name, path, error))
                continue
            if row["already_there"]:
                _say(f"{name} is there already, as {row['document']}.")
            taken[row["id"]] = row["document"]
        result = [*_wait(desk, workspace, set(taken)), *refused]
    for row in result:
        _print_document(row, as_json=chosen.json)
    return 1 if any(row["status"] == "failed" for row in result) else 0


def _wait(desk: Desk, workspace: str, ids: set[int]) -> list[rows.Row]:
    """Wait until all of these documents are settled; return their rows.

    What holds one up, such as a full disk, is said once.
    """
    said: set[str] = set()
    with _bar(len(ids), "reading") as bar:
        while True:
            listed = [row for row in desk.documents(workspace) if row["id"] in ids]
            waiting = [row for row in listed if row["status"] not in SETTLED]
            bar.n = len(ids) - len(waiting)
            bar.refresh()
            if not waiting:
                return listed
            for reason in {row["reason"] for row in waiting if row["reason"]} - said:
                said.add(reason)
                _say(reason)
            time.sleep(POLL_SECONDS)


def _bar(total: int, text: str) -> tqdm[NoReturn]:
    return tqdm(total=total, desc=text, unit="document", disable=not sys.stderr.isatty())


def _progress(files: Sequence[tuple[str, Path]], text: str) -> Iterator[tuple[str, Path]]:
    with _bar(len(files), text) as bar:
        for item in files:
            yield item
            bar.update()


def _print_document(row: rows.Row, *, as_json: bool) -> None:
    if as_json:
        _print_row(row)
        return
    pages = f"{row['pages']} pages" if row["pages"] else ""
    parts = (f"{row['status']:<9}", row["document"], pages, row["reason"] or "")
    print("  ".join(part for part in parts if part))


def _questions(chosen: argparse.Namespace) -> Iterator[tuple[object, str, list[str] | None]]:
    if chosen.batch is None:
        yield "", chosen.question, chosen.document
        return
    for row in rows.read_lines(chosen.batch, ("id", "question")):
        yield row["id"], str(row["question"]), rows.texts(row, "documents") or chosen.document


def _refuse_unless_one_kind(chosen: argparse.Namespace) -> None:
    if (chosen.question is None) == (chosen.batch is None):
        chosen.refuse("give one QUESTION, or --batch with a file of them")


def _search(chosen: argparse.Namespace) -> int:
    _refuse_unless_one_kind(chosen)
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
        print(f"{hit['rank']:>3}  {_place(hit)}\n     {_line(hit['text'])}\n")
    print(f"confidence {row['confidence']:.2f}")


def _place(row: rows.Row) -> str:
    return row["document"] if row["page"] is None else f"{row['document']}, page {row['page']}"


def _ask(chosen: argparse.Namespace) -> int:
    _refuse_unless_one_kind(chosen)
    failed = False
    with _desk(chosen) as desk:
        for identifier, question, documents in _questions(chosen):
            quiet = bool(chosen.batch or chosen.json)
            row: rows.Row = {}
            for name, event in desk.ask(chosen.workspace, question, documents):
                row = event
                if name == "token" and not quiet:
                    print(_piece(event["text"]), end="", flush=True)
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
            reasons = _line(" ".join(sentence["reasons"]))
            print(f"\n! {sentence['verdict']}: {_line(sentence['text'])}\n  {reasons}")
    for citation in row["citations"]:
        quote = _line(citation["quote"])
        print(f"\n[{citation['number']}] {_place(citation)}\n    “{quote}”")
    if row["outcome"] == "abstained":
        for hit in row["nearest"][:3]:
            print(f"\nnearest: {_place(hit)}\n    {_line(hit['text'])}")
    print(f"\n{row['model']}, {row['seconds']['total']:.1f} s")


def _check(chosen: argparse.Namespace) -> int:
    settings = config.load(data=chosen.data)
    checking = read(settings.specialist, Specialist).checking
    for row in rows.read_lines(chosen.batch, ("id", "claim", "sources")):
        result = check(str(row["claim"]), rows.texts(row, "sources"), checking)
        _print_row({**rows.check_row("", result), "id": row["id"]})
    return 0


def _documents(chosen: argparse.Namespace) -> int:
    with _desk(chosen) as desk:
        for row in desk.documents(chosen.workspace):
            _print_document(row, as_json=chosen.json)
    return 0


def _delete(chosen: argparse.Namespace) -> int:
    if bool(chosen.document) == chosen.whole:
        chosen.refuse("name a document to delete, or say --whole for the workspace")
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
