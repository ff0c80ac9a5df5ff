"""Every error a user can meet, drawn as one tree. Each message says what happened and what to do.

    MunimentError
    ├── BadRequest              the request cannot be carried out as it stands      (HTTP 400)
    │   ├── BadFile             a file is refused or cannot be read
    │   └── BadSetting          a setting or a specialist's file is wrong
    ├── NotFound                a workspace, document or answer is not there         (HTTP 404)
    ├── Forbidden               this is not allowed, with the reason                 (HTTP 403)
    ├── TooLarge                more than this machine was set to take               (HTTP 413)
    ├── DataFolderError         the data folder cannot be used                       (HTTP 503)
    │   ├── DataFolderBusy      another process owns it
    │   ├── DiskFull            no room, or the folder cannot be written
    │   └── IndexMismatch       the index was made by another recipe
    └── ModelError              a model could not do its part                        (HTTP 502)
        ├── ModelUnavailable    the model's server does not answer
        ├── ModelMissing        the model is not installed
        ├── ModelOverflow       the prompt is longer than the model's context
        ├── ModelBusy           the server turned us away; trying later helps
        ├── ModelTimeout        nothing came within the limit
        └── ModelBroke          it failed in mid-answer; what was said is kept

The doors translate: the page shows ``message`` and ``remedy``, HTTP gives the status in brackets,
the terminal prints one line and exits 1 (2 for a wrong call).
"""

from __future__ import annotations


class MunimentError(Exception):
    """Base of all. ``message`` is what happened, ``remedy`` what to do, both for a layman."""

    status = 500

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class BadRequest(MunimentError):
    """The request cannot be carried out as it stands."""

    status = 400


class BadFile(BadRequest):
    """A file is refused or cannot be read."""


class BadSetting(BadRequest):
    """A setting or a specialist's file is wrong."""


class NotFound(MunimentError):
    """A workspace, document or answer is not there."""

    status = 404


class Forbidden(MunimentError):
    """This is not allowed."""

    status = 403


class TooLarge(MunimentError):
    """More than this machine was set to take."""

    status = 413


class DataFolderError(MunimentError):
    """The data folder cannot be used."""

    status = 503


class DataFolderBusy(DataFolderError):
    """Another process owns the data folder."""


class DiskFull(DataFolderError):
    """No room is left, or the folder cannot be written."""


class IndexMismatch(DataFolderError):
    """The index was made by another recipe than the one in use."""


class ModelError(MunimentError):
    """A model could not do its part."""

    status = 502


class ModelUnavailable(ModelError):
    """The model's server does not answer."""


class ModelMissing(ModelError):
    """The model is not installed."""


class ModelOverflow(ModelError):
    """The prompt is longer than the model's context."""


class ModelBusy(ModelError):
    """The server turned us away; trying later helps."""


class ModelTimeout(ModelError):
    """Nothing came within the limit."""


class ModelBroke(ModelError):
    """The model failed in mid-answer; what was said until then is kept."""
