"""Runs the book's JavaScript: functions by node or a browser, whichever is there, pages by a browser."""

import json
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

from bookkit.environment import web_browser

SCRIPTS = Path(__file__).resolve().parents[1] / "src" / "companion"


def evaluate(name, expression, folder):
    """Return the value of a JavaScript expression, as JSON has it, after loading one of the scripts."""
    script = (SCRIPTS / name).read_text("utf-8")
    if node := shutil.which("node"):
        (folder / "run.js").write_text(f"{script}\nconsole.log(JSON.stringify({expression}));", encoding="utf-8")
        return json.loads(_output([node, str(folder / "run.js")]))
    return operate(f"<script>{script}</script>", f"return {expression};", folder)


def operate(body, script, folder, address="", size="1000,900"):
    """Return what a script returns that runs when a page with this body has been loaded; it may wait for promises."""
    runner = f"""<script>window.addEventListener("load", async () => {{
      let found;
      try {{ found = await (async () => {{ {script} }})(); }} catch (error) {{ found = {{ error: String(error.stack) }}; }}
      document.body.innerHTML = "";
      document.body.append(Object.assign(document.createElement("pre"), {{ textContent: JSON.stringify(found) }}));
    }});</script>"""
    page = folder / "page.html"
    page.write_text(f'<!doctype html><meta charset="utf-8"><body>{body}{runner}</body>', encoding="utf-8")
    found = json.loads(unescape(dom(page, address, size).split("<pre>")[1].split("</pre>")[0]))
    assert "error" not in found, found["error"]
    return found


def dom(page, address="", size="1000,900"):
    """Return the page of a file as a browser has it after its scripts have run."""
    browser = web_browser()
    if browser is None:
        pytest.skip("needs a browser: install the package chromium")
    options = ["--headless", "--no-sandbox", f"--window-size={size}", "--virtual-time-budget=20000", "--dump-dom"]
    return _output([browser, *options, page.as_uri() + address])


def _output(command):
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8", timeout=120).stdout
