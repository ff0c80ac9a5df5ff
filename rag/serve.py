"""Starting the web server: who may reach it, and Streamlit told to keep to itself.

Until people can sign in, whoever reaches the page can read everything in it. So an address other
than loopback is refused unless ``--trust-network`` is said, and then the page says so too.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from dataclasses import fields
from pathlib import Path

from rag.config import CHECKOUT, Settings, shipped, variable
from rag.errors import Forbidden
from rag.specialists import IndexRecipe, Specialist, read
from rag.store.lock import FolderLock

LOOPBACK_NAMES = {"localhost"}


def is_loopback(address: str) -> bool:
    """Tell whether an address is reached from this machine only."""
    if address in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def refuse_strangers(settings: Settings) -> None:
    """Refuse to listen beyond this machine unless the network was said to be trusted.

    Raises:
        Forbidden: it would be reachable by others without anybody having said so.
    """
    if not is_loopback(settings.address) and not settings.trust_network:
        raise Forbidden(
            f"Listening on {settings.address} would let everyone on the network read every "
            "document: nobody signs in yet.",
            "Keep to loopback, or say --trust-network if everyone there may read everything.",
        )


def serve(settings: Settings) -> int:
    """Become the web server: replaces this process by Streamlit's own.

    Raises:
        Forbidden: the address is not loopback and the network was not said to be trusted.
        DataFolderError: the folder is in use or cannot be written.
        BadSetting: the specialist or the recipe is wrong.
    """
    refuse_strangers(settings)
    _look_ahead(settings)
    for item in fields(Settings):
        value = getattr(settings, item.name)
        text = str(value.absolute()) if isinstance(value, Path) else str(value)
        os.environ[variable(item.name)] = text
    os.environ.pop("MUNIMENT_CONFIG", None)  # its values stand in the variables now
    home = CHECKOUT if (CHECKOUT / ".streamlit").is_dir() else shipped("streamlit")
    os.chdir(home)
    os.execv(sys.executable, [sys.executable, *command(settings)])  # noqa: S606 - our own program


def _look_ahead(settings: Settings) -> None:
    """Meet what would end the server at its start now, while it can be told in a line."""
    read(settings.specialist, Specialist)
    read(settings.recipe, IndexRecipe)
    with FolderLock(settings.data):
        pass


def command(settings: Settings) -> list[str]:
    """Return the arguments with which Python runs the page."""
    return [
        "-m",
        "streamlit",
        "run",
        str(CHECKOUT / "app.py"),
        f"--server.address={settings.address}",
        f"--server.port={settings.port}",
        f"--server.maxUploadSize={settings.max_upload_mb}",
        f"--browser.serverAddress={settings.address}",
    ]
