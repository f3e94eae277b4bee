"""Writes a picture of every page of the console: ``make screenshots``.

All of them, in two widths and two themes, go to build/console; those that the documentation shows to docs/images/console.
"""

from __future__ import annotations

import logging
import re
import sys
import tempfile
from pathlib import Path

from PIL import Image

from support.browser import CHROMIUM, THEMES, WIDTHS, choose, open_browser, overflowing
from support.console_pages import all_pages, telling_site

ROOT = Path(__file__).parent.parent.parent
ALL = ROOT / "build" / "console"
SHOWN = ROOT / "docs" / "images" / "console"
COLOURS = 96
TALLEST = 1000
"""Pixels of a picture of the documentation; a longer page is cut."""


def main():
    """Write them."""
    if CHROMIUM is None:
        sys.exit("Debian's chromium is needed: apt-get install chromium")
    logging.getLogger().addHandler(logging.NullHandler())
    for folder in (ALL, SHOWN):
        folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        telling_site(Path(folder) / "omni") as site,
        open_browser() as browser,
    ):
        pages = all_pages(site)
        for width, size in WIDTHS.items():
            context = browser.new_context(base_url=site.url, viewport=size, reduced_motion="reduce")
            page = context.new_page()
            for name, address in pages.items():
                page.goto(address)
                for theme in THEMES:
                    choose(page, theme)
                    picture = f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}-{width}-{theme}.png"
                    page.screenshot(path=ALL / picture, full_page=True)
                    if (SHOWN / picture).exists():
                        save_small(ALL / picture, SHOWN / picture)
                if overflowing(page):
                    sys.stderr.write(f"{name}: wider than {size['width']} pixels\n")
            context.close()
    sys.stderr.write(f"{len(pages)} pages, each as {len(WIDTHS) * len(THEMES)} pictures in {ALL}\n")


def save_small(source, target):
    """Save the beginning of a picture, with few colours."""
    with Image.open(source) as image:
        image.crop((0, 0, image.width, min(image.height, TALLEST))).convert("RGB").quantize(COLOURS).save(
            target, optimize=True
        )


if __name__ == "__main__":
    main()
