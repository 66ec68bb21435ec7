"""Runs the tests of the page: `run.py URL WICK AXE BROWSER [--pictures FOLDER] [NAME...]`.

URL is a server of the demo model without keys, WICK the program, AXE the source of axe-core, BROWSER a Chromium. With names,
only tests are run whose names contain one of them.
"""

import argparse
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

import hostile
import keeping
import looking
import talking
from stage import Stage


def main():
    parser = argparse.ArgumentParser()
    for name in ["url", "wick", "axe", "browser"]:
        parser.add_argument(name)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    with sync_playwright() as playwright:
        # As root, as in a container, Chromium has no sandbox.
        browser = playwright.chromium.launch(executable_path=options.browser, args=["--no-sandbox"])
        stage = Stage(browser, options.url, options.wick, Path(options.axe).read_text())
        if options.pictures:
            looking.pictures(stage, options.pictures)
            return
        for test in [*talking.TESTS, *keeping.TESTS, *looking.TESTS, *hostile.TESTS]:
            if options.names and not any(name in test.__name__ for name in options.names):
                continue
            began = time.monotonic()
            test(stage)
            print(f"page: {test.__name__.replace('_', ' ')}: {time.monotonic() - began:.1f} s", flush=True)
        browser.close()


main()
