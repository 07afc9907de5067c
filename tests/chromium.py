"""A headless Chromium of our own, and somebody who looks at a page in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from filelock import FileLock
from programs import program

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    "--window-size=1300,1000",
)


def start(profile: Path) -> Chrome:
    """Start a browser of our own; no driver is looked for anywhere else."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    browser = program("chromium", "google-chrome", package="chromium")
    driver = program("chromedriver", package="chromium-driver")
    options = ChromeOptions()
    options.binary_location = browser
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in (*ARGUMENTS, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    # The driver takes a port that was free just before: one start at a time.
    with FileLock(profile.parents[1] / "chromedriver.lock"):
        return Chrome(options=options, service=Service(driver))


class Reader:
    """Somebody who looks at a page."""

    def __init__(self, driver: Chrome, downloads: Path) -> None:
        self.driver = driver
        self.downloads = downloads

    def open(self, page: Path, address: str = "") -> None:
        self.driver.get("about:blank")
        self.driver.get(f"file://{page}{address and '#' + address}")

    def run(self, script: str, *values: object) -> Any:
        return self.driver.execute_script(f"return {script}", *values)

    def ask(self, command: str, **values: object) -> Any:
        return self.driver.execute_cdp_cmd(command, values)

    def prefer(self, scheme: str) -> None:
        wishes = {"color-scheme": scheme, "reduced-motion": "reduce"}
        features = [
            {"name": f"prefers-{name}", "value": value}
            for name, value in wishes.items()
        ]
        self.ask("Emulation.setEmulatedMedia", features=features)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element("css selector", selector)

    def press(self, text: str, within: str = "body") -> None:
        buttons = self.all(f"{within} button")
        next(one for one in buttons if one.text.startswith(text)).click()

    def type(self, *keys: str) -> None:
        self.driver.switch_to.active_element.send_keys(*keys)

    def wait(self, seen: Callable[[], Any]) -> Any:
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.driver, 20, 0.05).until(lambda _: seen())

    def rows(self, table: str) -> list[list[str]]:
        """The texts of the rows and cells of a table that are to be seen."""
        texts: list[list[str]] = self.run(
            "[...document.querySelectorAll(arguments[0])]"
            ".filter((row) => row.checkVisibility()).map((row) => [...row.cells]"
            ".filter((cell) => !cell.hidden).map((cell) => cell.textContent))",
            f"{table} tbody tr",
        )
        return texts

    def sees(self, selector: str) -> str:
        self.wait(lambda: any(one.is_displayed() for one in self.all(selector)))
        return self.one(selector).get_attribute("textContent") or ""

    def download(self, table: str) -> str:
        for old in self.downloads.iterdir():
            old.unlink()
        self.press("Download", table)

        def finished() -> list[Path]:
            return list(self.downloads.glob("*.csv"))

        files: list[Path] = self.wait(finished)
        return files[0].read_text("utf-8")
