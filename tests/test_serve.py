"""Who may reach the server, and what Streamlit is told."""

from __future__ import annotations

import pytest

from rag import config
from rag.errors import Forbidden
from rag.serve import command, is_loopback, refuse_strangers


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1", "[::1]", "127.8.8.8"])
def test_loopback_is_this_machine_only(address: str) -> None:
    assert is_loopback(address)
    refuse_strangers(config.load({}, address=address))


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.5", "::", "archive.office.lan"])  # noqa: S104
def test_another_address_is_refused_until_the_network_is_trusted(address: str) -> None:
    assert not is_loopback(address)
    with pytest.raises(Forbidden, match="nobody signs in"):
        refuse_strangers(config.load({}, address=address))
    refuse_strangers(config.load({}, address=address, trust_network=True))


def test_streamlit_is_told_address_port_and_limit() -> None:
    words = command(config.load({}, port=8777, max_upload_mb=50))
    assert "--server.address=127.0.0.1" in words
    assert "--server.port=8777" in words
    assert "--server.maxUploadSize=50" in words
