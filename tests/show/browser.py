"""Walks through the page of `gotrace report` of the small build in a real browser: `browser.py PAGE SCREENSHOTS`.

Exits with 0 where all is as tests/show/build.rs draws it, and 1 with what is not. Needs playwright, and Debian's
chromium. Prints nothing else."""

import sys
from pathlib import Path
from playwright.sync_api import sync_playwright

PAGE, FOLDER = Path(sys.argv[1]), Path(sys.argv[2])
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


def walk(page):
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
    press(page, "Escape", "Escape")
    assert page.locator(".details").count() == 0 and chips(page) == []

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

    # Dark, by key; other tabs by arrows.
    press(page, "1", "t")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    settle(page)
    assert pixel(page, ".lanes", 0.6, 4) == DARK_COMPILE
    page.screenshot(path=FOLDER / "dark.png")
    page.get_by_role("tab", name="Timeline").focus()
    press(page, "ArrowRight")
    assert "What was lost or not seen" in page.locator(".panel").inner_text()
    press(page, "?")
    assert page.locator("dialog[open]").count() == 1
    press(page, "Escape")
    press(page, "ArrowLeft", "t")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"


def narrow(page):
    """Nothing is wider than a small telephone."""
    page.set_viewport_size({"width": 360, "height": 740})
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.screenshot(path=FOLDER / "narrow.png", full_page=True)


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
    walk(page)
    narrow(page)
    without_decompression(browser)
    assert requests == [PAGE.as_uri()], requests
    assert complaints == [], complaints
    browser.close()
