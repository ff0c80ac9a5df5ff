"""Ask: a conversation on the left, the evidence on the right.

Answers are written by the server, not by this page: what is drawn here is read from the running
answer or from the database, so a refresh in the middle of an answer loses nothing.
"""

from __future__ import annotations

import streamlit as st

from rag.store.answers import Exchange
from rag.types import Answer, Citation, Outcome, Workspace
from rag.ui import evidence, links, parts, samples
from rag.ui.door import assistant
from rag.ui.trouble import plain

REFRESH_SECONDS = 0.4
LONGEST_QUESTION = 2000
SHOWN_CONVERSATIONS = 12


def show(workspace: Workspace | None) -> None:
    """Draw the page."""
    if workspace is None:
        _welcome()
        return
    _history(workspace)
    conversation_id = _conversation(workspace)
    turns = assistant().turns(workspace.name, conversation_id) if conversation_id else []
    left, right = st.columns([1.15, 1], gap="large")
    with left:
        if turns:
            for turn in turns:
                _turn(workspace, turn)
        else:
            _invite(workspace)
    with right, st.container(key="evidence"):
        evidence.show(workspace, _selected(turns))
    _question_bar(workspace, conversation_id)


def _welcome() -> None:
    st.title("Ask your documents, see the line")
    st.html(
        '<p class="lead">Drop leases, letters, policies or minutes in, ask in plain words, and read an '
        "answer in which every sentence points at the line it rests on. Everything stays on this "
        "machine.</p>"
    )
    first, second = st.columns(2, gap="large")
    with first, st.container(border=True):
        st.subheader("Try it with ours")
        st.write("A dozen documents of an invented law office and an invented school.")
        samples.offer("welcome-sample")
    with second, st.container(border=True):
        st.subheader("Begin with yours")
        st.write("Name a workspace on the left, one for each matter or class, then add documents.")


def _invite(workspace: Workspace) -> None:
    documents = assistant().documents(workspace.name)
    if not documents:
        st.title("Nothing here yet")
        st.write("Add documents to this workspace, then ask about them.")
        links.link("documents", "Add documents", ":material/upload_file:", workspace=workspace.name)
        if workspace.name != samples.SAMPLE_WORKSPACE:
            samples.offer("invite-sample")
        return
    searchable = sum(document.searchable is not None for document in documents)
    st.title("What do you want to know?")
    st.write(f"{searchable} of {len(documents)} documents can be searched in this workspace.")
    if workspace.name == samples.SAMPLE_WORKSPACE:
        _examples(workspace)


def _examples(workspace: Workspace) -> None:
    st.caption("For example:")
    for question in samples.EXAMPLES:
        if st.button(question, key=f"example-{question}", type="secondary"):
            _ask(workspace, None, question, None)


def _conversation(workspace: Workspace) -> int | None:
    wanted = links.number("conversation")
    known = {item.id for item in assistant().conversations(workspace.name)}
    return wanted if wanted in known else None


def _history(workspace: Workspace) -> None:
    conversations = assistant().conversations(workspace.name)
    if not conversations:
        return
    with st.sidebar:
        st.caption("Conversations")
        links.link("ask", "New conversation", ":material/add:", workspace=workspace.name)
        for item in conversations[:SHOWN_CONVERSATIONS]:
            links.link("ask", plain(item.title), workspace=workspace.name, conversation=item.id)


def _selected(turns: list[Exchange]) -> Citation | None:
    question_id, number = links.number("question"), links.number("cite")
    for turn in turns:
        if turn.question_id == question_id and turn.answer is not None:
            for citation in turn.answer.citations:
                if citation.number == number:
                    return citation
    return None


def _turn(workspace: Workspace, turn: Exchange) -> None:
    with st.container(key=f"turn-{turn.question_id}"):
        with st.container(key=f"question-{turn.question_id}"):
            st.markdown(plain(turn.question))
            if turn.documents:
                st.caption(plain(f"Only in: {', '.join(turn.documents)}"))
        if turn.answer is not None:
            _finished(workspace, turn, turn.answer)
        elif assistant().progress(turn.question_id) is not None:
            _running(turn.question_id)
        else:
            _lost(turn)


def _lost(turn: Exchange) -> None:
    if turn.text:
        st.markdown(plain(turn.text))
    st.warning("This answer was interrupted. Ask again to get a whole one.")


@st.fragment(run_every=REFRESH_SECONDS)
def _running(question_id: int) -> None:
    progress = assistant().progress(question_id)
    if progress is None:
        st.rerun()
    if progress.text:
        parts.answer(
            f"running-{question_id}",
            progress.text,
            progress.claims,
            progress.citations,
            busy=True,
        )
    elif progress.found is None:
        st.caption("Searching the documents …")
    else:
        st.caption(
            f"{progress.found} passages found. Waiting for {plain(progress.model)}; "
            "a model that is being loaded can take a minute."
        )
    if st.button(
        "Stopping …" if progress.stopping else "Stop",
        key=f"stop-{question_id}",
        icon=":material/stop_circle:",
        disabled=progress.stopping,
    ):
        assistant().stop_answer(question_id)


def _finished(workspace: Workspace, turn: Exchange, answer: Answer) -> None:
    selected = links.number("cite") if links.number("question") == turn.question_id else None
    if answer.claims:
        pressed = parts.answer(
            f"answer-{turn.question_id}",
            answer.text,
            answer.claims,
            answer.citations,
            quotes=answer.model.startswith("Extractive"),
            selected=selected,
        )
        if pressed is not None and pressed != selected:
            st.query_params["question"] = str(turn.question_id)
            st.query_params["cite"] = str(pressed)
            st.rerun()
    elif answer.text:
        st.markdown(plain(answer.text))
    _notice(answer)
    if not answer.claims and answer.nearest:
        st.caption("The nearest passages")
        evidence.nearest(workspace, answer.nearest, f"nearest-{turn.question_id}")
    _footnote(answer)


def _notice(answer: Answer) -> None:
    if not answer.notice:
        return
    if answer.outcome is Outcome.FAILED:
        st.error(plain(answer.notice))
    elif answer.outcome is Outcome.ABSTAINED:
        st.info(plain(answer.notice))
    else:
        st.warning(plain(answer.notice))


def _footnote(answer: Answer) -> None:
    said = [answer.model, f"{answer.seconds.total:.1f} s", f"evidence {answer.confidence:.0%}"]
    if answer.standalone != answer.question:
        said.append(f"searched for: {answer.standalone}")
    st.caption(plain("  ·  ".join(said)))
    if answer.left_out:
        st.caption(plain(f"Did not fit and was not read: {'; '.join(answer.left_out)}."))


def _question_bar(workspace: Workspace, conversation_id: int | None) -> None:
    names = [
        document.name
        for document in assistant().documents(workspace.name)
        if document.searchable is not None
    ]
    with st.bottom, st.container(key="question-bar"):
        chosen = st.multiselect(
            "Search only in",
            names,
            placeholder="All documents of this workspace",
            key=f"scope-{workspace.id}",
            label_visibility="collapsed",
        )
        question = st.chat_input(
            "Ask about your documents", max_chars=LONGEST_QUESTION, disabled=not names
        )
    if question:
        _ask(workspace, conversation_id, str(question), chosen or None)


def _ask(
    workspace: Workspace, conversation_id: int | None, question: str, documents: list[str] | None
) -> None:
    door = assistant()
    if conversation_id is None:
        conversation_id = door.new_conversation(workspace.name)
    door.start_answer(workspace.name, conversation_id, question, documents)
    for name in ("question", "cite"):
        st.query_params.pop(name, None)
    st.query_params["conversation"] = str(conversation_id)
    st.rerun()
