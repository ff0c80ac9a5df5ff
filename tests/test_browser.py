"""The page in a real browser: what a paralegal does on the first day, and nothing leaves the origin.

One server without a chat model and one with a slow one (recorded in the form of Ollama's) serve the
whole file; each test has a window of its own. Every request of every window is watched. The main
path is walked in every run, the rest by ``make test-slow``.
"""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from rag.names import document_name
from rag.ui.samples import SAMPLE_WORKSPACE
from tests import server
from tests.ollama_replay import Replay, Routes, invented, recorded

expect.set_options(timeout=30_000)  # these machines are small, and busy
pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PATIENCE = 30_000
NOTICE = "How much notice must the tenant give?"
CLAUSE = (
    "9.2 The Tenant may end this Lease for any reason, and must give the Landlord not less than "
    "six months’ written notice."
)
HOSTILE = (
    "<script>alert(1)</script>.txt",
    "![x](http://evil.example/x.png).md",
    "$x^2$ :red[hi].txt",
)
SAYINGS = ("The tenant must give ", "six months of notice [1]. ", "Nobody else ", "gives any.\n")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        reason = "no chromium here: apt install chromium"
        if os.environ.get("CI") == "true" or os.environ.get("MUNIMENT_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


class Watched:
    """A window whose every request and message is noted."""

    def __init__(self, browser: Browser, home: str) -> None:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.set_default_timeout(PATIENCE)
        self.context = context
        self.page = context.new_page()
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.home = home
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", lambda socket: self.asked.append(socket.url))
        self.page.on("dialog", lambda dialog: self.errors.append(dialog.message))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def close(self) -> None:
        """Close the window; whatever went elsewhere, or went wrong in a script, fails the test."""
        self.context.close()
        place = urlsplit(self.home).netloc
        strangers = [
            url
            for url in self.asked
            if not url.startswith(("data:", "blob:")) and urlsplit(url).netloc != place
        ]
        assert strangers == []
        assert any(url.startswith("ws://") for url in self.asked)
        assert self.errors == []


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.Server]:
    """A server without a chat model, over an empty data folder."""
    started = server.start(tmp_path_factory.mktemp("browser") / "data", max_upload_mb=1)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def first_visit(archive: server.Server, browser: Browser) -> list[str]:
    """Open the sample workspace from an empty archive; return what was seen on the way."""
    watched = Watched(browser, archive.url)
    page = watched.page
    page.goto(archive.url)
    seen = [page.get_by_role("heading", level=1).inner_text()]
    page.get_by_role("button", name="Open the sample workspace").click()
    seen.append(page.get_by_text("still being read").inner_text())
    page.get_by_role("link", name="Documents").click()
    expect(page.locator("li.document")).to_have_count(12)
    expect(page.locator(".state.ready")).to_have_count(12, timeout=60_000)
    page.get_by_role("link", name="Ask").click()
    seen.append(page.get_by_role("button", name=NOTICE).inner_text())
    watched.close()
    return seen


@pytest.fixture
def page(archive: server.Server, browser: Browser, first_visit: list[str]) -> Iterator[Page]:
    """A window on the archive with the sample workspace ready."""
    assert first_visit
    watched = Watched(browser, archive.url)
    yield watched.page
    watched.close()


def at(archive: server.Server, where: str = "", **address: object) -> str:
    return f"{archive.url}/{where}?{urlencode({'workspace': SAMPLE_WORKSPACE, **address})}"


def ask(page: Page, question: str) -> None:
    box = page.get_by_placeholder("Ask about your documents")
    box.fill(question)
    box.press("Enter")


def answered(page: Page) -> None:
    """Wait until the last answer is whole."""
    expect(page.locator("button.chip").first).to_be_visible()
    expect(page.locator(".turn").last).to_have_attribute("aria-busy", "false")


def boxed(picture: Locator) -> int:
    """Count the pixels of a drawn page that have a mark's colour: yellow over white paper."""
    expect(picture).to_be_visible()
    picture.page.wait_for_function(
        "image => image.complete && image.naturalWidth > 0", arg=picture.element_handle()
    )
    with Image.open(io.BytesIO(picture.screenshot())) as image:
        drawn = image.convert("RGB")
        colours = drawn.getcolors(drawn.width * drawn.height) or []
    return sum(count for count, (r, g, b) in colours if r > 245 and 225 < g < 250 and 150 < b < 210)  # type: ignore[misc]


def test_first_visit_says_what_this_is_and_samples_are_one_click_away(
    first_visit: list[str],
) -> None:
    assert first_visit[0] == "Ask your documents, see the line"
    assert re.search(r"12 documents are still being read|of 12 can be asked", first_visit[1])
    assert NOTICE in first_visit[2]


def test_the_right_clause_is_quoted_and_boxed(archive: server.Server, page: Page) -> None:
    page.goto(at(archive))
    ask(page, NOTICE)
    chips = page.locator("button.chip")
    answered(page)
    assert page.locator(".sentence").first.inner_text().startswith("9.2 The Tenant may end")
    chips.last.click()
    expect(chips.last).to_have_attribute("aria-pressed", "true")
    chips.first.click()
    expect(page.locator(".quote .text")).to_have_text(CLAUSE)
    expect(page.get_by_text("Lease Suite 3 Ropewalk House 2022.pdf, page 4").first).to_be_visible()
    assert boxed(page.locator(".st-key-evidence-picture img")) > 2000
    expect(page.get_by_text("Waiting for")).to_have_count(0)  # there is no model to wait for
    page.reload()  # the address says which line is shown
    expect(page.locator(".quote .text")).to_have_text(CLAUSE)
    page.get_by_role("link", name="Open in the reader").click()
    expect(page.locator("mark")).to_contain_text("The Tenant may end this Lease")
    assert boxed(page.locator(".st-key-page-picture img")) > 2000


@pytest.mark.slow
def test_marks_open_by_keyboard_and_say_no_more_than_was_checked(
    archive: server.Server, page: Page
) -> None:
    page.goto(at(archive))
    page.get_by_test_id("stMainBlockContainer").get_by_role("button", name=NOTICE).click()
    answered(page)
    mark = page.locator("button.mark").first
    mark.focus()
    page.keyboard.press("Enter")
    expect(mark).to_have_attribute("aria-expanded", "true")
    expect(page.locator(".why")).to_contain_text("The words of this sentence stand")
    page.get_by_role("button", name="What the marks mean").click()
    expect(page.locator(".legend")).to_contain_text("a check of words, not of meaning")


def test_without_enough_evidence_it_abstains_and_shows_the_nearest(
    archive: server.Server, page: Page
) -> None:
    page.goto(at(archive))
    ask(page, "Which volcano erupted beside Reykjavik, and when?")
    expect(page.locator(".notice.abstained")).to_contain_text("do not seem to answer")
    assert page.locator(".passage").count() == 3
    name = page.locator(".place").first.inner_text().rpartition(", page")[0]
    page.locator(".place").first.click()
    page.wait_for_url("**/reader?**start=**")
    expect(page.get_by_label("Document", exact=True)).to_have_value(name)


@pytest.mark.slow
def test_a_conversation_is_deleted_from_the_side(archive: server.Server, page: Page) -> None:
    page.goto(at(archive))
    ask(page, "What does the trip to Skerrow lighthouse cost?")
    expect(page.locator("button.chip").first).to_be_visible()
    row = page.locator(".row.current")
    expect(row).to_contain_text("Skerrow")
    row.locator(".drop").click()
    page.locator(".row.current").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="What do you want to know?")).to_be_visible()
    expect(page.locator("nav .open", has_text="Skerrow")).to_have_count(0)


def test_a_link_leads_to_the_boxed_line(archive: server.Server, page: Page) -> None:
    api = f"{archive.url}/api/v1/workspaces/{SAMPLE_WORKSPACE}"
    answer = httpx.post(f"{api}/ask", json={"question": NOTICE}, trust_env=False, timeout=30).json()
    cited = answer["citations"][0]
    link = {
        "document": cited["document_id"], "page": cited["page"],
        "start": cited["start"], "end": cited["end"],
    }  # fmt: skip
    page.goto(at(archive, "reader", **link))
    expect(page.locator("mark")).to_have_text(cited["quote"])
    assert boxed(page.locator(".st-key-page-picture img")) > 2000
    page.get_by_role("button", name="Next").click()
    page.wait_for_url("**page=5**")
    expect(page.locator(".excerpt.page")).not_to_contain_text("9.2 The Tenant may end")
    expect(page.locator("mark")).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("link", name="Original").click()
    assert download.value.suggested_filename == cited["document"]


def test_the_guessed_address_of_asking_leads_there(archive: server.Server, page: Page) -> None:
    page.goto(at(archive, "ask"))
    expect(page.get_by_placeholder("Ask about your documents")).to_be_visible()
    assert page.url == at(archive)


def test_files_come_in_by_the_chooser_and_go_again(
    archive: server.Server, page: Page, tmp_path: Path
) -> None:
    new_workspace(archive, page, "Smith v. Jones 2024/15")
    choose(
        page, texts(tmp_path, {"one.txt": "The fee is $40.", "empty.txt": "", "two.md": "# Two"})
    )
    expect(page.locator("li.document")).to_have_count(3)
    expect(page.locator(".state.ready")).to_have_count(2)
    expect(row(page, "empty.txt").locator(".note.failed")).to_contain_text("empty")
    choose(page, texts(tmp_path, {"same.txt": "The fee is $40."}))
    expect(page.locator("li.known")).to_contain_text("same.txt is here already")
    choose(page, texts(tmp_path, {"one.txt": "The fee is $45."}))
    expect(page.locator(".queue li.good")).to_contain_text("is version 2")
    expect(row(page, "one.txt")).to_contain_text("version 2")
    choose(page, texts(tmp_path, {"large.txt": "x" * 1_000_001}))
    expect(page.locator("li.bad")).to_contain_text("larger than 1 MB. Split it")
    expect(row(page, "one.txt").locator(".state.ready")).to_be_visible()
    row(page, "one.txt").get_by_role("button", name="Delete").click()
    expect(row(page, "one.txt")).to_contain_text("Delete it, with every version?")
    row(page, "one.txt").get_by_role("button", name="Delete").click()
    expect(page.locator("li.document .name")).to_have_text(["empty.txt", "two.md"])


@pytest.mark.slow
def test_thirty_files_at_once(archive: server.Server, page: Page, tmp_path: Path) -> None:
    new_workspace(archive, page, "Thirty")
    choose(page, texts(tmp_path, {f"letter {n:02}.txt": f"Letter {n}." for n in range(30)}))
    expect(page.locator(".progress")).to_contain_text("30 files taken in", timeout=PATIENCE)
    expect(page.locator("li.document")).to_have_count(30)
    page.get_by_role("button", name="Delete this workspace").click()
    page.get_by_label("Type its name to be sure").fill("Thirty")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Delete everything in it").click()
    expect(page.get_by_text("Thirty", exact=True)).to_have_count(0)


def test_hostile_names_are_shown_as_they_are(archive: server.Server, page: Page) -> None:
    new_workspace(archive, page, "<b>bold</b> ![x](http://evil.example/y.png)")
    said = "The **fee** is $40 <img src=x onerror=alert(1)> ![x](http://evil.example/z.png)."
    for name in HOSTILE:
        put(archive, "<b>bold</b> ![x](http://evil.example/y.png)", name, said + name)
    page.reload()
    expect(page.locator(".state.ready")).to_have_count(3)
    shown = page.locator("li.document .name").all_inner_texts()
    assert sorted(shown) == sorted(document_name(name) for name in HOSTILE)
    page.get_by_role("link", name="Ask").click()
    ask(page, "What is the fee? <script>alert(2)</script> ![x](http://evil.example/q.png)")
    expect(page.locator("button.chip").first).to_be_visible()
    expect(page.locator(".question")).to_contain_text("![x](http://evil.example/q.png)")
    expect(page.locator(".sentence").first).to_contain_text("<img src=x onerror=alert(1)>")
    page.get_by_role("link", name="Open in the reader").click()
    expect(page.locator(".excerpt.page")).to_contain_text("![x](http://evil.example/z.png)")
    assert page.locator("img[src*='evil']").count() == 0


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.Server]:
    """A server with a model that speaks slowly, open to the network, with one document."""
    pieces = [{"model": "m", "message": {"role": "assistant", "content": word}} for word in SAYINGS]
    slow = invented(*[{**piece, "done": False} for piece in pieces * 40], every=600)
    routes: Routes = {
        "GET /": recorded(2),
        "GET /api/tags": recorded(18),
        "GET /api/ps": recorded(22),
        "POST /api/show": (recorded(19), recorded(20), recorded(6)),
        "POST /api/chat": slow,
    }
    with Replay(routes) as replay:
        data = tmp_path_factory.mktemp("spoken") / "data"
        started = server.start(data, ollama_url=replay.url, trust_network=True)
        httpx.post(
            f"{started.url}/api/v1/workspaces", json={"name": "W"}, trust_env=False
        ).raise_for_status()
        put(started, "W", "Lease.txt", "The tenant must give six months of notice to the landlord.")
        yield started
        started.stop()


@pytest.mark.slow
def test_a_refresh_in_mid_answer_loses_nothing_and_stop_keeps_what_was_said(
    spoken: server.Server, browser: Browser
) -> None:
    watched = Watched(browser, spoken.url)
    page = watched.page
    page.goto(f"{spoken.url}/?workspace=W")
    ask(page, NOTICE)
    expect(page.locator(".status")).to_contain_text(re.compile("(Waiting for|^)Ollama"))
    expect(page.locator(".sentence").first).to_be_visible()
    page.reload()
    expect(page.locator(".turn")).to_have_attribute("aria-busy", "true")
    expect(page.locator(".sentence").first).to_be_visible()
    before = page.locator(".body").inner_text()
    expect(page.locator(".status")).to_contain_text("is writing")
    expect(page.locator(".body")).not_to_have_text(before)
    page.locator("button.stop").click()
    expect(page.locator(".notice.stopped")).to_contain_text("What was written until then is kept")
    expect(page.locator(".turn")).to_have_attribute("aria-busy", "false")
    assert "The tenant must give six months of notice" in page.locator(".body").inner_text()
    watched.close()


@pytest.mark.slow
def test_an_open_network_is_told_on_every_page(spoken: server.Server, browser: Browser) -> None:
    watched = Watched(browser, spoken.url)
    watched.page.goto(f"{spoken.url}/?workspace=W")
    for name, there in (("Ask", "Ask about"), ("Documents", "Drop files"), ("Reader", "Original")):
        watched.page.get_by_role("link", name=name, exact=True).first.click()
        main = watched.page.get_by_test_id("stMain")
        expect(main.get_by_text(there).or_(main.get_by_placeholder(there)).first).to_be_visible()
        expect(watched.page.get_by_text("Open to the network")).to_have_count(1)
    watched.close()


def new_workspace(archive: server.Server, page: Page, name: str) -> None:
    """Make a workspace by hand and go to its documents."""
    page.goto(at(archive, "documents"))
    page.get_by_role("button", name="New workspace").click()
    page.get_by_label("Name of the new workspace").fill(name)
    page.get_by_role("button", name="Create workspace").click()
    # the page before may be as empty, and is there until the new one stands
    expect(page.get_by_text(f"Drop files or folders into “{name}”")).to_be_visible()
    expect(page.locator("input[type=file]")).to_have_count(1)
    expect(page.get_by_text("No documents yet")).to_have_count(1)


def texts(folder: Path, contents: dict[str, str]) -> list[Path]:
    for name, text in contents.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in contents]


def choose(page: Page, files: list[Path]) -> None:
    page.locator("input[type=file]").set_input_files(files)


def row(page: Page, name: str) -> Locator:
    return page.locator("li.document", has=page.get_by_text(name, exact=True))


def put(archive: server.Server, workspace: str, name: str, text: str) -> None:
    """Send a file as the page does."""
    httpx.put(
        f"{archive.url}/files/upload",
        params={"workspace": workspace, "name": name},
        content=text.encode(),
        trust_env=False,
    ).raise_for_status()
