"""Opens a page of `gotrace report` in headless Chromium and zooms its timeline. Needs playwright
(scripts/fetch-consumers) on PYTHONPATH, and Debian's chromium."""

from dataclasses import dataclass

from large import ROUNDS

# Since the navigation began, until two frames after the timeline was laid out.
PAINT = """async () => {
    const frame = () => new Promise(requestAnimationFrame);
    while (!document.querySelector(".timeline canvas")) await frame();
    await frame(), await frame();
    return performance.now();
}"""
# Each frame turns the wheel over the middle of the rows: two thirds of a second in, as long out, and so on.
ZOOM = """async (frames) => {
    const frame = () => new Promise(requestAnimationFrame);
    const lanes = document.querySelector(".timeline .lanes");
    const { left, top, width, height } = lanes.getBoundingClientRect();
    await frame();
    const from = performance.now();
    for (let at = 0; at < frames; at += 1) {
        const deltaY = at % 80 < 40 ? -40 : 40;
        const place = { clientX: left + width / 2, clientY: top + height / 2, ctrlKey: true, bubbles: true, cancelable: true };
        lanes.dispatchEvent(new WheelEvent("wheel", { deltaY, ...place }));
        await frame();
    }
    return (1000 * frames) / (performance.now() - from);
}"""
FRAMES = 240


@dataclass(frozen=True)
class Browsed:
    """What each opening of the page took, and how smoothly it zoomed."""

    first_paint_s: list
    frames_per_s: list

    @classmethod
    def of(cls, path):
        """Opens it again and again."""
        from playwright.sync_api import sync_playwright

        paints, rates = [], []
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            for _ in range(ROUNDS):
                page = browser.new_page(viewport={"width": 1280, "height": 860})
                page.goto(path.as_uri(), wait_until="commit")
                paints.append(page.evaluate(PAINT) / 1000)
                page.keyboard.press("3")
                rates.append(page.evaluate(ZOOM, FRAMES))
                page.close()
            browser.close()
        return cls(paints, rates)
