"""What the README says can be typed, and where it points there is something."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from mouthpiece.cli.main import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
VERBS = sorted(set(re.findall(r"mouthpiece ((?:keys |face |bench |setup )?[a-z]+)(?=[ `\n])", README)) - {"is"})


def test_it_names_verbs() -> None:
    assert {"serve", "doctor", "keys add"} <= set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_exists_with_its_flags(verb: str) -> None:
    command: Any = typer.main.get_command(app)
    for word in verb.split():
        command = command.commands[word]
    options = {name for option in command.params for name in option.opts}
    for line in re.findall(rf"mouthpiece {verb}([^`\n]*)", README):
        assert set(re.findall(r"(?<=\s)--?[a-z-]+", line)) <= options


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_the_test_command_is_the_one_that_ci_runs() -> None:
    assert "make check" in README
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("make check")
