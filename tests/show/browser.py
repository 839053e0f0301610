"""Walks through pages of `gotrace report` in a real browser: `browser.py WALK PAGE SCREENSHOTS`, where a walk is the
name of one of the functions below.

Exits with 0 where all is as tests/show/build.rs and browser.rs draw it, and 1 with what is not. Needs playwright, and
Debian's chromium. Prints nothing else."""

import sys
from pathlib import Path
from playwright.sync_api import sync_playwright

WALK, PAGE, FOLDER = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
COMPILE, LINK, DARK_COMPILE = (0x2F, 0x7F, 0xC1), (0xE6, 0x9F, 0x00), (0x56, 0xA3, 0xE0)


def pixel(page, canvas, x, y):
    """The colour at a place of a canvas: parts of its width, pixels from its top."""
    return tuple(
        page.evaluate(
            """([name, x, y]) => {
                const canvas = document.querySelector(name);
                const copy = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
                copy.drawImage(canvas, -Math.round(canvas.width * x), -Math.round(y * devicePixelRatio));
                return [...copy.getImageData(0, 0, 1, 1).data].slice(0, 3);
            }""",
            [canvas, x, y],
        )
    )


def settle(page):
    """Until what was asked for is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)
    settle(page)


def chips(page):
    return page.locator(".chip").all_inner_texts()


def has(page, text):
    found = chips(page)
    assert any(text in chip for chip in found), (text, found)


def small(page):
    page.wait_for_selector(".timeline canvas")
    settle(page)
    # What a newcomer needs: m/b is 400 of 1000 ms.
    assert page.locator(".gating h2").inner_text() == "m/b gates the build: 40 % of its wall time"
    assert page.locator(".tile strong").all_inner_texts() == ["1.00 s", "1.00 s", "1.00", "3"]
    assert "7 samples: the ring buffer was full" in page.locator(".warnings").inner_text()
    # m/b is compiled from 300 to 700 ms, m/cmd is linked from 700 to 950; the go command has no bar of its own here.
    assert pixel(page, ".lanes", 0.6, 4) == COMPILE, pixel(page, ".lanes", 0.6, 4)
    assert pixel(page, ".lanes", 0.9, 4) == LINK
    assert pixel(page, ".lanes", 0.05, 4) == (0, 0, 0)

    page.locator(".lanes").focus()
    # Zoom by keys: twice by 1.5, about the middle; out again.
    press(page, "w", "w")
    has(page, "in sight: 278 ms to 722 ms")
    assert pixel(page, ".lanes", 0.01, 4) == COMPILE
    press(page, "d")
    has(page, "in sight: 367 ms to 811 ms")
    press(page, "Home")
    assert chips(page) == []
    box = page.locator(".lanes").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 10)
    page.mouse.wheel(0, -240)
    page.wait_for_selector(".chip")
    assert "in sight: 316 ms to 684 ms" in chips(page)[0], chips(page)
    press(page, "0")

    # Search; Enter goes to the match.
    press(page, "/")
    page.keyboard.type("M/CMD")
    has(page, "1 match")
    press(page, "Enter")
    assert page.locator(".details h2").inner_text() == "link m/cmd"
    assert "190 ms, 76 % of a core" in page.locator(".details").inner_text()
    assert "waited for compile m/b" in page.locator(".details .links").inner_text()
    press(page, "Escape")
    assert chips(page) == [], "one Escape ends the search"
    press(page, "Escape")
    assert page.locator(".details").count() == 0

    # A double click zooms to the bar of its first click, though the pane makes the picture narrower: link m/cmd lies
    # below the pointer then.
    box = page.locator(".lanes").bounding_box()
    page.mouse.dblclick(box["x"] + box["width"] * 0.65, box["y"] + 10)
    settle(page)
    assert page.locator(".details h2").inner_text() == "compile m/b"
    has(page, "in sight: 260 ms to 740 ms")
    assert not page.locator(".timeline .hint").is_visible()
    press(page, "Escape", "0")

    # A click selects, the link leads to what gated it.
    box = page.locator(".lanes").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 10)
    assert page.locator(".details h2").inner_text() == "compile m/b"
    page.get_by_role("button", name="compile m/a").click()
    assert "for a slot" in page.locator(".details").inner_text()
    press(page, "]")
    assert page.locator(".details h2").inner_text() == "compile m/b"
    press(page, "Escape")

    # A drag selects a piece of time: 300 to 700 ms has 30 samples of 10 ms.
    settle(page)
    box = page.locator(".lanes").bounding_box()
    across = lambda part: page.mouse.move(box["x"] + box["width"] * part, box["y"] + 10)
    across(0.25), page.mouse.down(), across(0.5), across(0.75), page.mouse.up()
    settle(page)
    (chip,) = chips(page)
    assert chip.startswith("selected: 250 ms to 750 ms, 500 ms (300 ms CPU"), chip
    # Tables are sorted by what is in it, and say that the rest is not.
    page.get_by_role("tab", name="Tables").click()
    assert page.locator("th[aria-sort=descending]").inner_text() == "CPU selected ↓"
    assert page.locator(".sheet tbody tr").first.inner_text().startswith("m/b\t"), first_column(page)
    assert "all else is of the whole run" in page.locator(".sheet caption").inner_text()
    page.get_by_role("button", name="Images", exact=True).click()
    (image,) = page.locator(".sheet tbody tr").all_inner_texts()
    assert "300 ms" in image.split("\t") and "400 ms" in image.split("\t"), image
    press(page, "1")
    page.get_by_role("tab", name="Timeline").click()
    page.get_by_role("button", name="select all of the time").click()
    assert chips(page) == []

    # By process: the go command and three tools, as a table too.
    press(page, "2")
    page.locator(".behind summary").click()
    settle(page)
    rows = page.locator(".behind tbody tr")
    assert rows.count() == 4, rows.count()
    assert rows.nth(3).inner_text().startswith("link m/cmd\t700 ms\t250 ms"), rows.nth(3).inner_text()
    page.locator(".behind summary").click()

    # Threads have colours of their own, which a legend tells.
    press(page, "3")
    assert page.locator(".timeline > .legend").inner_text() == "running"

    # Dark, by key; other tabs by arrows.
    press(page, "1", "t")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    settle(page)
    assert pixel(page, ".lanes", 0.6, 4) == DARK_COMPILE
    page.screenshot(path=FOLDER / "dark.png")
    page.get_by_role("tab", name="Timeline").focus()
    press(page, "ArrowLeft")
    assert "What was lost or not seen" in page.locator(".panel").inner_text()
    press(page, "?")
    assert page.locator("dialog[open]").count() == 1
    press(page, "Escape")
    press(page, "ArrowRight", "t")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    flame(page)
    tables(page)
    printed(page)
    narrow(page)


def first_column(page):
    return page.locator(".sheet tbody td:first-child").all_inner_texts()


def flame(page):
    """400 ms in 40 samples, all of compilers: goexit calls main, that ssa.Compile (300 ms itself), that memmove."""
    page.get_by_role("tab", name="Flame graph").click()
    settle(page)
    summed = lambda: page.locator(".sum").inner_text()
    assert summed() == "400 ms CPU time in 40 samples.", summed()
    # Rows of 18 pixels: all, the tool, then four functions, of which the last is a quarter as wide.
    assert pixel(page, ".flame canvas", 0.9, 4 * 18 + 1) != (255, 255, 255)
    assert pixel(page, ".flame canvas", 0.2, 5 * 18 + 1) != (255, 255, 255)
    assert pixel(page, ".flame canvas", 0.3, 5 * 18 + 1) == (255, 255, 255)
    box = page.locator(".flame canvas").bounding_box()
    at = lambda part, row: (box["x"] + box["width"] * part, box["y"] + row * 18 + 9)
    page.mouse.move(*at(0.9, 4))
    hint = page.locator(".flame .hint").inner_text()
    assert "total: 400 ms, 100 %, 40 samples" in hint and "self: 300 ms, 75 %" in hint, hint
    page.screenshot(path=FOLDER / "flame.png")

    # Zoom by click, back by key.
    crumbs = lambda: page.locator(".crumbs").inner_text()
    page.mouse.click(*at(0.1, 5))
    settle(page)
    assert crumbs().endswith("› runtime.memmove"), crumbs()
    assert pixel(page, ".flame canvas", 0.9, 5 * 18 + 1) != (255, 255, 255)
    page.locator(".flame canvas").focus()
    press(page, "Backspace")
    assert crumbs().endswith("› cmd/compile/internal/ssa.Compile"), crumbs()
    press(page, "Home")
    assert not page.locator(".crumbs").is_visible()

    # Along the boxes: the tool, goexit; the reader is told.
    press(page, "ArrowDown", "ArrowDown")
    assert page.locator(".for-readers").inner_text().startswith("runtime.goexit; total: 400 ms"), page.locator(".for-readers").inner_text()

    # Search tells the share.
    press(page, "/")
    page.keyboard.type("memmove")
    has(page, "1 function matches: 100 ms, 25 %")
    press(page, "Escape", "Escape")
    assert chips(page) == []

    # Inverted: ssa.Compile and memmove stand beside each other below the tool.
    press(page, "i")
    page.mouse.move(*at(0.1, 2))
    hint = page.locator(".flame .hint").inner_text()
    assert hint.startswith("cmd/compile/internal/ssa.Compile\ntime: 300 ms, 75 %"), hint
    press(page, "i")
    page.locator(".flame .behind summary").click()
    page.wait_for_selector(".flame .behind tbody")
    rows = page.locator(".flame .behind tbody tr").all_inner_texts()
    assert rows == ["compile\t400 ms\t100 %\t0 s"], rows
    page.locator(".flame .behind summary").click()


def tables(page):
    page.get_by_role("tab", name="Tables").click()
    assert first_column(page) == ["m/b", "m/a", "m/cmd", "[no package]"], first_column(page)
    assert page.locator(".sheet caption").inner_text() == "Packages: 3"
    rows = page.locator(".sheet tbody tr").all_inner_texts()
    assert rows[0].startswith("m/b\t500 ms\t0 s\t400 ms"), rows
    # By name, and back, by keyboard.
    page.get_by_role("button", name="package", exact=True).focus()
    press(page, "Enter")
    assert page.locator("th[aria-sort=ascending]").inner_text() == "package ↑"
    assert first_column(page) == ["[no package]", "m/a", "m/b", "m/cmd"], first_column(page)
    press(page, "Enter")
    assert first_column(page)[0] == "m/cmd", first_column(page)

    # Functions: those of the small build, the heaviest first.
    page.get_by_role("button", name="Functions", exact=True).click()
    rows = page.locator(".sheet tbody tr").all_inner_texts()
    assert rows[0].split("\t")[:3] == ["cmd/compile/internal/ssa.Compile", "300 ms", "400 ms"], rows
    assert rows[1].split("\t")[:3] == ["runtime.memmove", "100 ms", "100 ms"], rows

    # A package limits everything: m/a has 10 samples.
    press(page, "1")
    page.locator(".sheet").get_by_role("button", name="m/a", exact=True).click()
    has(page, "package m/a")
    assert "m/b" in first_column(page), "another one can be picked"
    assert page.locator("tr[aria-selected=true]").count() == 1
    page.get_by_role("tab", name="Flame graph").click()
    assert page.locator(".sum").inner_text() == "100 ms CPU time in 10 samples."
    page.get_by_role("button", name="all but this package").click()
    assert page.locator(".sum").inner_text() == "400 ms CPU time in 40 samples."

    # A program is shown on the timeline, a function in the flame graph.
    page.get_by_role("tab", name="Tables").click()
    page.get_by_role("button", name="Processes", exact=True).click()
    page.locator(".sheet").get_by_role("button", name="link m/cmd", exact=True).click()
    page.get_by_role("tab", name="Timeline").click()
    assert page.locator(".details h2").inner_text() == "link m/cmd"
    assert page.locator('.groupings [aria-pressed="true"]').inner_text() == "Processes"
    press(page, "Escape", "1")
    page.get_by_role("tab", name="Tables").click()
    page.get_by_role("button", name="Functions", exact=True).click()
    page.get_by_role("button", name="runtime.memmove").click()
    assert page.locator("input[type=search]").input_value() == "runtime.memmove"
    has(page, "1 function matches: 100 ms, 25 %")
    press(page, "Escape")
    # A tool is searched for on the timeline.
    page.get_by_role("tab", name="Tables").click()
    page.get_by_role("button", name="Tools", exact=True).click()
    page.locator(".sheet").get_by_role("button", name="link", exact=True).click()
    assert page.get_by_role("tab", name="Timeline").get_attribute("aria-selected") == "true"
    assert page.locator("input[type=search]").input_value() == "link"
    has(page, "1 match")
    press(page, "Escape")
    page.get_by_role("tab", name="Tables").click()
    press(page, "1")
    page.screenshot(path=FOLDER / "tables.png")
    page.get_by_role("tab", name="Timeline").click()


def printed(page):
    """The picture is as wide as the paper, drawn for a narrow sheet: its right end, where m/cmd is linked, is not cut."""
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    page.evaluate("document.body.style.width = '640px'")
    for canvas in [".chart", ".timeline .lanes"]:
        box = page.locator(canvas).bounding_box()
        assert 600 < box["x"] + box["width"] <= 640, (canvas, box)
    assert pixel(page, ".timeline .lanes", 0.9, 4) == LINK
    page.evaluate("document.body.style.width = ''")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")


def narrow(page):
    """Nothing is wider than a small telephone."""
    page.set_viewport_size({"width": 360, "height": 740})
    settle(page)
    for tab in ["Flame graph", "Tables", "Environment", "Timeline"]:
        page.get_by_role("tab", name=tab).click()
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, tab
    # The search's words fit into it, and a long command into one line, whole when it is asked for.
    words, room = page.evaluate(
        """() => {
            const search = document.querySelector("input[type=search]");
            const context = document.createElement("canvas").getContext("2d");
            context.font = getComputedStyle(search).font;
            return [context.measureText(search.placeholder).width, search.clientWidth - 20];
        }"""
    )
    assert words < room, (words, room)
    command = page.locator(".command")
    page.evaluate("document.querySelector('.command bdi').textContent = 'go build ' + './cmd/tool '.repeat(20)")
    line = command.bounding_box()["height"]
    command.click()
    assert command.bounding_box()["height"] > 3 * line
    page.screenshot(path=FOLDER / "narrow.png", full_page=True)


def bound(page):
    """Of 100 ms; `ld` (8) had malloc bound twice and, at 80 ms, free; `as` (7) malloc once."""
    rows = lambda: [row.split("\t")[:3] for row in page.locator(".sheet tbody tr").all_inner_texts()]
    page.get_by_role("tab", name="Tables").click()
    page.get_by_role("button", name="Bindings", exact=True).click()
    assert [row[:2] for row in rows()] == [["malloc", "3"], ["free", "1"]], rows()
    # A program's own.
    page.get_by_role("button", name="Processes", exact=True).click()
    page.locator(".sheet tbody tr", has_text="7").get_by_role("button").first.click()
    page.get_by_role("button", name="Bindings", exact=True).click()
    assert page.locator("th[aria-sort=descending]").inner_text() == "binds selected ↓"
    assert rows() == [["malloc", "3", "1"]], rows()
    assert "“binds selected” is of that" in page.locator(".sheet caption").inner_text()
    page.get_by_role("button", name="all but this program").click()
    # The later half of the time.
    page.get_by_role("tab", name="Timeline").click()
    settle(page)
    box = page.locator(".lanes").bounding_box()
    across = lambda part: page.mouse.move(box["x"] + box["width"] * part, box["y"] + 10)
    across(0.5), page.mouse.down(), across(0.7), across(0.95), page.mouse.up()
    settle(page)
    page.get_by_role("tab", name="Tables").click()
    assert rows() == [["free", "1", "1"]], rows()


def many(page):
    """One program of 100 threads, each with 2,999 stretches of 1 µs, 4 µs apart."""
    page.wait_for_selector(".timeline canvas")
    press(page, "3")
    page.locator(".timeline .behind summary").click()
    caption = page.locator(".timeline .behind caption")
    assert caption.inner_text().endswith("the first 500 of 299901"), caption.inner_text()
    page.locator(".timeline .behind summary").click()
    page.locator(".lanes").focus()
    press(page, *"wwwwww")
    # 12 ms / 1.5^6, about the middle.
    has(page, "in sight: 5.47 ms to 6.53 ms")
    press(page, "/")
    page.keyboard.type("waiting")
    has(page, "0 matches")


def pair(page):
    """Two runs alike but for 100 ms more of CPU time of m/b, of which there are no samples."""
    page.get_by_role("tab", name="Flame graph").click()
    page.get_by_role("button", name="Difference", exact=True).click()
    settle(page)
    summed = page.locator(".sum").inner_text()
    assert summed.startswith("400 ms CPU time in 40 samples; 400 ms in base; blue is faster now"), summed
    box = page.locator(".flame canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 4 * 18 + 9)
    hint = page.locator(".flame .hint").inner_text()
    assert "base: 400 ms, now: 400 ms, +0 s, may be chance" in hint, hint
    found = pixel(page, ".flame canvas", 0.9, 4 * 18 + 9)
    assert found == (0xDD, 0xE1, 0xE6), ("the colour of what is the same", found)
    page.screenshot(path=FOLDER / "difference.png")
    # The whole command has no names to search, and no column of them.
    page.get_by_role("tab", name="Compare").click()
    whole = page.locator(".compare table").first
    assert whole.locator("th").first.inner_text() == "measure"
    press(page, "/")
    page.keyboard.type("no such name")
    assert whole.locator("td").first.inner_text() == "wall"
    press(page, "Escape")


def imported(page):
    page.wait_for_selector(".flame canvas")
    tabs = page.get_by_role("tab").all_inner_texts()
    assert tabs[0] == "Flame graph" and "Timeline" not in tabs, tabs
    summed = page.locator(".sum").inner_text()
    assert summed == "3.00 ms in 1 stack; 1.00 ms stands for a count: it has no unit.", summed


def open_end(page):
    assert page.locator(".tile strong").all_inner_texts() == ["800 ms", "≥ 400 ms", "≥ 0.50"]


def without_decompression(browser):
    page = browser.new_page()
    page.add_init_script("delete globalThis.DecompressionStream")
    page.goto(PAGE.as_uri())
    assert "needs Chrome" in page.locator(".needs").inner_text()


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
    page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme="light")
    requests, complaints = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(PAGE.as_uri())
    globals()[WALK](page)
    without_decompression(browser)
    assert requests == [PAGE.as_uri()], requests
    assert complaints == [], complaints
    browser.close()
