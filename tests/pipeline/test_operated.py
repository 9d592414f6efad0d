"""The explorers are operated as a reader does, and each fault that one can have is found."""

import asyncio

import pytest

from bookkit import browser, operated
from companion.explorer import compute_explorer, explorer_html
from companion.pages import explore

FRAME = '<!doctype html><html lang="en"><meta charset="utf-8"><body>{}'
#: What is broken by replacing words of the scripts of the front page, and what is said then.
FAULTS = {
    "explore.save();": ("", "the explorer model does not keep its state in the address."),
    "place < 0 ? data.start[n] : place": (
        "data.start[n]",
        "the explorer model forgets its state when the page is loaded again.",
    ),
    '"chi":[': ('"chi":["0.99",', "the explorer model shows '0.40' where the library has"),
    "        update();\n        explore.save();": ("explore.save();", "the explorer model does not answer to a key."),
}


@pytest.fixture(scope="module")
def pages():
    model = compute_explorer([1.5, 2.0], [0.1, 0.4, 0.7, 1.2], [0.5, 2.0], 20.0, 0.1)
    others = map(explore.explorer, (name for name, one in operated.EVERY.items() if one.page == operated.EXPLORERS))
    return {
        operated.FRONT: explorer_html(model, (1.5, 0.7, 2.0)),
        operated.EXPLORERS: explore.shared(explore.Plan()) + "".join(others),
    }


def found(folder, pages):
    lacking = browser.missing()
    if lacking:
        pytest.skip(lacking)
    for address, body in pages.items():
        (folder / address).parent.mkdir(parents=True, exist_ok=True)
        (folder / address).write_text(FRAME.format(body), "utf-8")

    async def operate():
        from playwright.async_api import async_playwright

        async with async_playwright() as playwright:
            started = await playwright.chromium.launch(executable_path=browser.web_browser())
            try:
                return await operated.operate(started, folder)
            finally:
                await started.close()

    return asyncio.run(operate())


@pytest.mark.long
def test_the_explorers_answer_keep_their_state_and_show_what_the_library_computes(pages, tmp_path):
    assert found(tmp_path, pages) == []
    assert 0 < asyncio.run(operated.cold_start(tmp_path)) < 60


@pytest.mark.long
@pytest.mark.parametrize("words", FAULTS)
def test_a_fault_of_an_explorer_is_found(words, pages, tmp_path, monkeypatch):
    monkeypatch.setattr(operated, "KEEPS", 2.0)  # no fault hides behind a state that is kept late
    other, said = FAULTS[words]
    front = pages[operated.FRONT]
    assert words in front
    lines = found(tmp_path, {operated.FRONT: front.replace(words, other)})
    assert any(line.startswith(f"{operated.FRONT}: {said}") for line in lines), lines


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.25", 0.25),
        ("1e6", 1e6),
        ("1.2 × 10⁻⁵", 1.2e-5),
        ("10⁴", 1e4),
        ("−0.5", -0.5),
        ("∞", float("inf")),
        ("inf", float("inf")),
    ],
)
def test_numbers_are_read_as_the_explorers_write_them(text, value):
    assert operated.number(text) == value
    assert operated.close(text, value) and not operated.close(text, 1.2 * value + 0.2 if value < 1e9 else 3.0)
