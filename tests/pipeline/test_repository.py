"""The address of the repository stands in one place, and everything that names it agrees with that."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import repository
import yaml

ROOT = Path(__file__).resolve().parents[2]


def disagreements(root):
    """Return which files name another repository than `pyproject.toml`, or one where it has none."""
    address = repository.address(root)
    cited = yaml.safe_load((root / "CITATION.cff").read_text("utf-8")).get("repository-code", "")
    shown = "git clone" in (readme := (root / "README.md").read_text("utf-8"))
    wrong = [] if cited == address else ["CITATION.cff: repository-code"]
    if shown != bool(address) or (address and f"git clone {address}" not in readme):
        wrong.append("README.md: git clone")
    return wrong


def test_everything_names_the_same_repository():
    assert disagreements(ROOT) == []


@pytest.fixture
def made(tmp_path):
    def written(address, cited, readme):
        urls = f'[project.urls]\nRepository = "{address}"\n' if address else ""
        (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "x"\n{urls}')
        (tmp_path / "CITATION.cff").write_text("title: x\n" + (f"repository-code: {cited}\n" if cited else ""))
        (tmp_path / "README.md").write_text(readme)
        return tmp_path

    return written


HERE, THERE = "https://example.org/a/b", "https://example.org/c/d"


@pytest.mark.parametrize(
    ("address", "cited", "readme", "wrong"),
    [
        ("", "", "In a clone of this repository", 0),
        (HERE, HERE, f"git clone {HERE}", 0),
        (HERE, THERE, f"git clone {HERE}", 1),
        (HERE, HERE, f"git clone {THERE}", 1),
        (HERE, "", "In a clone", 2),
        ("", HERE, f"git clone {HERE}", 2),
    ],
)
def test_a_disagreement_is_found(made, address, cited, readme, wrong):
    assert len(disagreements(made(address, cited, readme))) == wrong


@pytest.mark.parametrize("address", ["", HERE])
def test_pages_link_the_address_if_there_is_one(made, address):
    book = SimpleNamespace(srcdir=made(address, "", ""))
    config = {"myst_substitutions": {"other": "kept"}}
    repository.use_address(book, config)
    named = f"[the repository]({HERE})" if address else "the repository"
    assert config["myst_substitutions"] == {"other": "kept", "repository": named}
    context = {"header_buttons": ["there"]}
    repository.add_button(book, "page", "page.html", context, None)
    assert [one["url"] for one in context["header_buttons"][1:]] == ([HERE] if address else [])
