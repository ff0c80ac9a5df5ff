"""What the calls of the HTTP interface may hold: their keys, types and bounds."""

from __future__ import annotations

import json

from pydantic import BaseModel, ConfigDict, Field, model_validator

LONGEST_QUESTION = 4000
MOST_HITS = 1000
MOST_DOCUMENTS = 1000
MOST_TURNS = 20
LONGEST_ANSWER = 20_000


class Call(BaseModel):
    """The body of a call: known keys only, whole characters only."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _is_text(cls, data: object) -> object:
        """Refuse halves of characters, which JSON can spell and nothing can store."""
        try:
            json.dumps(data, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise ValueError("the text holds half of a character") from error
        return data


class NewWorkspace(Call):
    """A workspace to be made."""

    name: str


class SearchRequest(Call):
    """A search: ``documents`` are names, none for the whole workspace."""

    question: str = Field(max_length=LONGEST_QUESTION)
    documents: list[str] | None = Field(default=None, max_length=MOST_DOCUMENTS)
    limit: int = Field(default=10, ge=1, le=MOST_HITS)
    id: str = ""


class EarlierTurn(Call):
    """An earlier question with its answer."""

    question: str = Field(max_length=LONGEST_QUESTION)
    answer: str = Field(max_length=LONGEST_ANSWER)


class AskRequest(Call):
    """A question; ``history`` makes a follow-up understandable."""

    question: str = Field(max_length=LONGEST_QUESTION)
    documents: list[str] | None = Field(default=None, max_length=MOST_DOCUMENTS)
    history: list[EarlierTurn] = Field(default=[], max_length=MOST_TURNS)
    id: str = ""


class ReindexRequest(Call):
    """Which workspace's vectors to rebuild, none for all."""

    workspace: str | None = None


class DoctorRequest(Call):
    """Whether the doctor may mend what it finds."""

    repair: bool = False
