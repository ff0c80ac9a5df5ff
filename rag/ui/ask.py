"""Ask: a conversation on the left, the evidence on the right.

Answers are written by the server, not by this page: what is drawn here is read from the running
answer or from the database, so a refresh in the middle of an answer loses nothing. A question is
taken in a callback, before the page is drawn, so asking costs one drawing and not two.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

from rag.errors import MunimentError
from rag.running import Progress
from rag.store.answers import Exchange
from rag.types import Citation, Status, Workspace
from rag.ui import evidence, links, parts, samples
from rag.ui.door import assistant
from rag.ui.trouble import plain, tell
from rag.ui.turns import finished, running

REFRESH_SECONDS = 0.3
READING_SECONDS = 2.0
AT_ONCE_SECONDS = 0.8
"""An answer that takes less than this is drawn whole at once, instead of being announced first."""
LONGEST_QUESTION = 2000
SHOWN_CONVERSATIONS = 30
NEWS = "ask-news"
HINTS = (
    "A fact, a sum, a date or a duty: “When must the deposit be repaid?”",
    "With the name of the document, if you know it: “What does the 2019 lease say about repairs?”",
    "In the words the documents use, where you know them.",
)


def show(workspace: Workspace | None) -> None:
    """Draw the page."""
    if workspace is None:
        _welcome()
        return
    conversation_id = _conversation(workspace)
    _history(workspace, conversation_id)
    turns, live = _turns(workspace, conversation_id) if conversation_id else ([], set())
    error = st.session_state.pop(NEWS, None)
    if error is not None:
        tell(error)
    if turns:
        left, right = st.columns([1, 1.08], gap="large")
        selected = _selected(turns)
        with left:
            for turn in turns:
                latest = turn is turns[-1] and len(turns) > 1
                _turn(workspace, turn, selected, live=turn.question_id in live, latest=latest)
        with right, st.container(key="evidence"):
            evidence.show(workspace, selected[1], asked=turns[-1].answer is not None)
    else:
        _invite(workspace)
    _question_bar(workspace, conversation_id)


def _turns(workspace: Workspace, conversation_id: int) -> tuple[list[Exchange], set[int]]:
    """Read a conversation; return it with the questions whose answers are being written.

    An answer is recorded before it stops being a running one. So whoever is not running any more
    is read again: between the two looks it may have been finished.
    """
    turns = assistant().turns(workspace.name, conversation_id)
    waiting = [turn.question_id for turn in turns if turn.answer is None]
    if not waiting:
        return turns, set()
    _answered_at_once(waiting[-1])
    live = {number for number in waiting if assistant().progress(number) is not None}
    return assistant().turns(workspace.name, conversation_id), live


def _welcome() -> None:
    with st.container(key="welcome"):
        st.title("Ask your documents, see the line")
        st.html(
            '<p class="lead">Drop leases, letters, policies or minutes in, ask in plain words, and '
            "read an answer in which every sentence points at the line it rests on. Everything "
            "stays on this machine.</p>"
        )
        first, second = st.columns(2, gap="medium")
        with first, st.container(border=True, key="welcome-sample", height="stretch"):
            st.subheader("Try it with ours")
            st.write("A dozen documents of an invented law office and an invented school.")
            samples.offer("open-sample")
        with second, st.container(border=True, key="welcome-own", height="stretch"):
            st.subheader("Begin with yours")
            st.write("Name a workspace, one for each matter or class, then add documents.")
            st.caption("On the left: type its name and press “Create workspace”.")


def _invite(workspace: Workspace) -> None:
    documents = assistant().documents(workspace.name)
    with st.container(key="invite"):
        if not documents:
            st.title("Nothing here yet")
            st.write("Add documents to this workspace, then ask about them.")
            links.link(
                "documents", "Add documents", ":material/upload_file:", workspace=workspace.name
            )
            if samples.SAMPLE_WORKSPACE not in {item.name for item in assistant().workspaces()}:
                st.caption("Or look at how it works with ours:")
                samples.offer("invite-sample")
            return
        searchable = sum(document.searchable is not None for document in documents)
        st.title("What do you want to know?")
        many = "document" if searchable == 1 else "documents"
        st.html(
            f'<p class="lead">{searchable} {many} to ask about. Every sentence of the answer '
            "points at the line it rests on, and the line is shown on its page.</p>"
        )
        if workspace.name == samples.SAMPLE_WORKSPACE:
            st.caption("For example")
            for question in samples.EXAMPLES:
                st.button(
                    question,
                    key=f"example-{question}",
                    icon=":material/arrow_forward:",
                    disabled=not searchable,
                    on_click=_ask,
                    args=(workspace, None, question, None),
                )
        else:
            st.caption("What can be asked")
            for hint in HINTS:
                st.markdown(f"- {hint}")


def _conversation(workspace: Workspace) -> int | None:
    wanted = links.number("conversation")
    known = {item.id for item in assistant().conversations(workspace.name)}
    return wanted if wanted in known else None


def _history(workspace: Workspace, current: int | None) -> None:
    items = [item for item in assistant().conversations(workspace.name) if item.questions]
    if not items:
        return
    hidden = len(items) - SHOWN_CONVERSATIONS
    more = f"and {hidden} older ones" if hidden > 0 else ""
    shown = [(item.id, item.title) for item in items[:SHOWN_CONVERSATIONS]]

    def heard(event: parts.Event) -> None:
        if event.name == "open":
            links.put(workspace=workspace.name, conversation=event.value)
        elif event.name == "delete":
            _attempt(lambda: assistant().delete_conversation(workspace.name, event.value))
        if event.name == "new" or (event.name == "delete" and event.value == current):
            links.put(workspace=workspace.name)

    with st.sidebar:
        parts.history(f"history-{workspace.id}", shown, current, more, heard)


def _selected(turns: list[Exchange]) -> tuple[int, Citation | None]:
    """Return the question and the citation shown: the one pressed, else the last answer's first."""
    question_id, wanted = links.number("question"), links.number("cite")
    for turn in turns:
        if turn.question_id == question_id:
            for citation in _citations(turn):
                if citation.number == wanted:
                    return turn.question_id, citation
    last = turns[-1]
    return last.question_id, next(iter(_citations(last)), None)


def _citations(turn: Exchange) -> tuple[Citation, ...]:
    if turn.answer is not None:
        return turn.answer.citations
    progress = assistant().progress(turn.question_id)
    return progress.citations if progress is not None else turn.citations


def _turn(
    workspace: Workspace,
    turn: Exchange,
    selected: tuple[int, Citation | None],
    *,
    live: bool,
    latest: bool,
) -> None:
    question_id, citation = selected
    number = citation.number if citation and question_id == turn.question_id else None
    if live and turn.answer is None:
        st.fragment(_running, run_every=REFRESH_SECONDS)(workspace, turn, number, latest=latest)
    else:
        with st.container():  # as deep as a fragment draws, so that the same part goes on
            _draw(workspace, turn, finished(turn, number), latest=latest)


def _running(workspace: Workspace, turn: Exchange, selected: int | None, *, latest: bool) -> None:
    progress = assistant().progress(turn.question_id)
    if progress is None:
        st.rerun()
    pressed = _draw(workspace, turn, running(turn, progress, selected), latest=latest)
    if pressed or _first_line(turn, progress):
        st.rerun()


def _first_line(turn: Exchange, progress: Progress) -> bool:
    """Tell whether the answer has just cited its first line, which the panel is to show."""
    if not progress.citations or st.session_state.get("evidence-of") == turn.question_id:
        return False
    st.session_state["evidence-of"] = turn.question_id
    return True


def _draw(workspace: Workspace, turn: Exchange, shown: parts.Shown, *, latest: bool) -> bool:
    """Draw a question with its answer; tell whether something was pressed."""

    def heard(event: parts.Event) -> None:
        if event.name == "stop":
            assistant().stop_answer(turn.question_id)
        elif event.name == "cite":
            links.put(
                workspace=workspace.name,
                conversation=turn.conversation_id,
                question=turn.question_id,
                cite=event.value,
            )

    event = parts.answer(f"answer-{turn.question_id}", shown, heard, latest=latest)
    if event is not None and event.name == "open":
        for hit in shown.passages:
            if hit.rank == event.value:
                links.go(
                    "reader",
                    workspace=workspace.name,
                    document=hit.document_id,
                    page=hit.page_number,
                    start=hit.start,
                    end=hit.end,
                    version=hit.version_id,
                )
    return event is not None


def _answered_at_once(question_id: int) -> None:
    """Wait a moment for an answer to be finished, or for its first words."""
    deadline = time.monotonic() + AT_ONCE_SECONDS
    while time.monotonic() < deadline:
        progress = assistant().progress(question_id)
        if progress is None or progress.text or progress.stopping:
            return
        time.sleep(0.02)


def _question_bar(workspace: Workspace, conversation_id: int | None) -> None:
    documents = assistant().documents(workspace.name)
    names = [document.name for document in documents if document.searchable is not None]
    scope = f"scope-{workspace.id}"
    with st.bottom, st.container(key="question-bar"):
        if any(document.newest.status in UNSETTLED for document in documents):
            st.fragment(_reading, run_every=READING_SECONDS)(workspace, len(names))
        st.chat_input(
            "Ask about your documents"
            if names
            else "Nothing can be asked before a document is read",
            key="question-text",
            max_chars=LONGEST_QUESTION,
            disabled=not names,
            on_submit=_asked,
            args=(workspace, conversation_id, scope),
        )
        with st.container(horizontal=True, vertical_alignment="center", key="question-options"):
            st.multiselect(
                "Search only in",
                names,
                placeholder="All documents of this workspace",
                key=scope,
                label_visibility="collapsed",
                disabled=not names,
            )
            _who_speaks()


def _who_speaks() -> None:
    choice = assistant().choice()
    with st.popover(plain(choice.label), type="tertiary", icon=":material/record_voice_over:"):
        st.markdown("**Who answers**")
        st.write(plain(choice.why))


UNSETTLED = {Status.QUEUED, Status.PARSING, Status.INDEXING}


def _reading(workspace: Workspace, known: int) -> None:
    documents = assistant().documents(workspace.name)
    left = sum(document.newest.status in UNSETTLED for document in documents)
    searchable = sum(document.searchable is not None for document in documents)
    if not left or searchable != known:
        st.rerun()
    many = "document is" if left == 1 else "documents are"
    st.caption(
        f":material/hourglass_top: {left} {many} still being read; "
        f"{searchable} of {len(documents)} can be asked about already."
    )


def _asked(workspace: Workspace, conversation_id: int | None, scope: str) -> None:
    question = st.session_state["question-text"]
    if question:
        _ask(workspace, conversation_id, str(question), st.session_state.get(scope) or None)


def _ask(
    workspace: Workspace, conversation_id: int | None, question: str, documents: list[str] | None
) -> None:
    def begin() -> None:
        door = assistant()
        here = conversation_id or door.new_conversation(workspace.name)
        door.start_answer(workspace.name, here, question, documents)
        links.put(workspace=workspace.name, conversation=here)

    _attempt(begin)


def _attempt(act: Callable[[], None]) -> None:
    """Do something in a callback; what goes wrong is told when the page is drawn."""
    try:
        act()
    except MunimentError as error:
        st.session_state[NEWS] = error
