"""The documents: their links lead somewhere, what is printed from the code is as it is, commands exist."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.domain.tenants.settings import parse_tenants
from pipeline.gateway.commands.catalogue import COMMANDS
from pipeline.runtime.settings import ENV_PREFIX, Settings, concepts
from schemas.field_docs import FIELD_DOCS
from tests.project import reference_of_commands, reference_of_events, reference_of_views, references
from tests.project.markdown import Block, anchors, blocks, links

ROOT = Path(__file__).parents[2]
SKIPPED = {"build", "dist", "ledgerflow-data"}
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in ROOT.rglob("*.md")
    if not any(part in SKIPPED or part.startswith(".") for part in path.relative_to(ROOT).parts)
)
README_BYTES_MAX = 8_192
OF_THE_EXAMPLE = {"LEDGERFLOW_ACTIVITY_EVERY_POSTINGS"}
"""A setting of the stream that topologies/README.md adds."""
SETUP = re.compile(
    r"python3 -m venv \.venv && \.venv/bin/pip install (\.|'\.\[test,train,statements\]') && \.venv/bin/(.*)"
)


def text_of(document: str) -> str:
    return (ROOT / document).read_text("utf-8")


def shell_lines() -> list[tuple[str, str]]:
    """Return (document, line) of every command in the shell blocks of all documents."""
    return [
        (document, line)
        for document in DOCUMENTS
        for block in blocks(text_of(document))
        if block.language == "sh"
        for line in block.text.splitlines()
        if line and not line.startswith("#")
    ]


def test_the_readme_is_short() -> None:
    assert len(text_of("README.md").encode()) <= README_BYTES_MAX


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document: str) -> None:
    text, folder = text_of(document), (ROOT / document).parent
    for link in links(text):
        path, _, anchor = link.partition("#")
        if urlsplit(link).scheme:
            continue
        target = folder / path if path else ROOT / document
        assert target.resolve().is_relative_to(ROOT) and target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), link


def test_every_document_can_be_reached_from_the_readme() -> None:
    reached, ahead = {"README.md"}, ["README.md"]
    while ahead:
        document = ahead.pop()
        for link in links(text_of(document)):
            target = ((ROOT / document).parent / link.partition("#")[0]).resolve()
            name = os.path.relpath(target / "README.md" if target.is_dir() else target, ROOT)
            if name in DOCUMENTS and name not in reached:
                reached.add(name)
                ahead.append(name)
    assert set(DOCUMENTS) - reached == set()


@pytest.mark.parametrize("document", list(references.BLOCKS))
def test_what_is_printed_from_the_code_is_as_it_is(document: str) -> None:
    written = references.written(text_of(document), references.BLOCKS[document])
    assert written == text_of(document), "run `python -m tests.project.references`"


def test_every_field_is_explained_once() -> None:
    silent = set(reference_of_events.undocumented())
    assert silent == set(FIELD_DOCS), "schemas/field_docs.py: what schemas themselves do not say"


def test_every_setting_is_explained() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_setting_that_is_named_exists(document: str) -> None:
    gone = {name for kind in concepts() for name in kind.gone}  # whose names are refused
    known = {ENV_PREFIX + name.upper() for name in (*Settings.model_fields, *gone)}
    if document != "CHANGELOG.md":  # it tells of settings that there were
        named = set(re.findall(rf"\b{ENV_PREFIX}[A-Z_]*[A-Z]\b(?!_?\.\.\.)", text_of(document)))
        assert named - known - OF_THE_EXAMPLE == set()


def test_every_command_exists_and_has_the_options_that_are_given() -> None:
    commands: dict[str, Any] = dict(reference_of_commands.commands())
    seen = 0
    for document, line in shell_lines():
        words = shlex.split(line, comments=True)
        if not words or words[0] != "ledgerflow":
            continue
        names = (" ".join(words[1:end]) for end in (4, 3, 2))
        name = next((one for one in names if one in commands), "")
        assert name, f"{document}: {line}"
        given = {word.partition("=")[0] for word in words if word.startswith("-")}
        assert given <= reference_of_commands.options(commands[name]), f"{document}: {line}"
        seen += 1
    assert seen > 10


def test_every_address_that_is_asked_is_a_page_and_takes_the_parameters_that_are_given() -> None:
    pages = {
        re.compile(re.sub(r"\{\w+\}", "[^/]+", path)): set(names)
        for path, names in reference_of_views.parameters().items()
    }
    door = [
        *(one.path for one in COMMANDS),
        *("/sandbox", "/sandbox/reset"),
        *(path.replace("/{tenant}", "", 1) for path in reference_of_views.parameters()),
    ]
    pages |= {re.compile("/v1/[^/]+" + re.sub(r"\{\w+\}", "[^/]+", path)): set() for path in door}
    asked = [(document, shlex.split(line, comments=True)) for document, line in shell_lines()]
    addresses = [(document, urlsplit(words[1])) for document, words in asked if words[:1] == ["curl"]]
    assert len(addresses) > 5
    for document, address in addresses:
        taken = [names for page, names in pages.items() if page.fullmatch(address.path)]
        assert taken and set(parse_qs(address.query)) <= taken[0], f"{document}: {address.geturl()}"


def test_the_two_long_lines_are_the_ones_that_ci_and_users_run() -> None:
    """They install into a new environment, which no test of this suite repeats: .ci/run is the second one."""
    lines = [line for document, line in shell_lines() if document == "README.md" and "pip install" in line]
    found = [SETUP.fullmatch(line) for line in lines]
    assert [None if one is None else one.groups() for one in found] == [
        (".", "ledgerflow up --demo"),
        ("'.[test,train,statements]'", "python -m tests"),
    ]
    assert text_of(".ci/run").splitlines()[-1] == lines[1]


def test_the_example_of_a_tenants_file_is_one() -> None:
    (example,) = [one for one in blocks(text_of("pipeline/runtime/README.md")) if one.language == "toml"]
    tenants = parse_tenants(example.text)
    assert tenants.of("old").closed and tenants.of("north").currencies == ("EUR", "CHF")


def test_a_generated_part_that_is_missing_is_noticed() -> None:
    with pytest.raises(ValueError, match="generated: a"):
        references.written("<!-- generated: b -->\n<!-- end: b -->\n", {"a": str})


def test_markdown_is_read_as_it_is_meant() -> None:
    text = "# A b, c\n## A b c\n[x](y.md#z) ![p](q.svg)\n```sh\n# no heading [n](m)\nls\n```\n"
    assert anchors(text) == {"a-b-c", "a-b-c-1"}
    assert links(text) == ["y.md#z", "q.svg"]
    assert list(blocks(text)) == [Block("sh", "# no heading [n](m)\nls\n")]
