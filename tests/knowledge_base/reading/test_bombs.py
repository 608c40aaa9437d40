"""Files made to exhaust memory or time are refused in seconds and within 200 MB, each in a process of its own."""

from __future__ import annotations

import os
import signal
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from knowledge_base.errors import ReadError
from knowledge_base.reading import read_entries

from .files import WORD, packed, workbook

MB = 1 << 20


def _pdf(stream: bytes, filters: str, more: str = "") -> bytes:
    """A PDF of one page whose content is ``stream``."""
    head = f"<</Length {len(stream)}/Filter {filters}{more}>>stream\n".encode()
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 1 1]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        head + stream + b"\nendstream",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(out)
    return bytes(out) + b"xref\n0 6\n0000000000 65535 f \n" + table + end


def _word(paragraphs: str) -> bytes:
    return packed({"word/document.xml": f'<w:document xmlns:w="{WORD}">{paragraphs}</w:document>'})


def _groups_by_alias() -> str:
    tags = ",".join(f"t{n}" for n in range(900))
    groups = "".join(
        f"- group: g{n}\n  tags: *t\n  entries: {{en: {{question: q, answer: a}}}}\n" for n in range(20_000)
    )
    return f"- group: a\n  tags: &t [{tags}]\n  entries: {{}}\n{groups}"


BOMBS: dict[str, Callable[[], str | bytes]] = {
    "paragraphs.docx": lambda: _word("<w:p><w:r><w:t>ab</w:t></w:r></w:p>" * 1_500_000),
    "paragraphs.html": lambda: "<h1>a</h1>" + "<p>b</p>" * 2_400_000,
    "headings.md": lambda: "# q\n\na\n\n" * 2_400_000,
    "lines.txt": lambda: "x?\ny\n\n" * 3_200_000,
    "spaces.md": lambda: "".join(" " * n + "- a\n" for n in range(3_000)),
    "blank.csv": lambda: "question,answer\n" + "\n" * (19 * MB),
    "commas.csv": lambda: "question,answer\n" + "," * (19 * MB),
    "cell.csv": lambda: 'question,answer\nq,"' + "😀" * (4 * MB) + '"\n',
    "same.jsonl": lambda: '{"question":"q","answer":"a"}\n' * 690_000,
    "variants.csv": lambda: (
        "question,answer,variants\n" + "".join(f"q{n},a,{'vv|' * 3000}\n" for n in range(3_000))
    ),
    "aliases.yml": _groups_by_alias,
    "cell.xlsx": lambda: workbook(
        [],
        raw=(
            '<row r="1"><c r="A1" t="inlineStr"><is><t>question</t></is></c>'
            '<c r="B1" t="inlineStr"><is><t>answer</t></is></c></row>'
            '<row r="2"><c r="A2" t="inlineStr"><is><t>q</t></is></c>'
            f'<c r="B2" t="inlineStr"><is><t>{"a" * (190 * MB)}</t></is></c></row>'
        ),
    ),
    "unnamed.xlsx": lambda: workbook(
        [], raw="<row><c t='inlineStr'><is><t>question</t></is></c></row>" * 1_400_000
    ),
    "attributes.html": lambda: "<div " + " ".join(f"a{n}='x'" for n in range(1_600_000)) + ">x</div>",
    "groups.yml": lambda: "- group: g\n  entries: {en: {question: q, answer: a}}\n" * 150_000,
    "ascii85.pdf": lambda: _pdf(b"z" * (10 * MB), "/ASCII85Decode"),
    "predictor.pdf": lambda: _pdf(
        zlib.compress(bytes(50 * MB), 1), "/FlateDecode", "/DecodeParms<</Predictor 12/Columns 1>>"
    ),
    "spaces.pdf": lambda: _pdf(
        zlib.compress(zlib.compress(b" " * (300 * MB), 9)), "[/FlateDecode/FlateDecode]"
    ),
}

SOUND = ("spaces.md",)
"""Not too large, only slow to read once."""


@pytest.mark.parametrize("name", list(BOMBS))
def test_a_bomb_costs_little_time_and_memory(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    content = BOMBS[name]()
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    del content
    said, seconds, rise_mb = _apart(path)
    assert said.startswith("read" if name in SOUND else name), said
    assert seconds < 20  # five on a machine that does nothing else
    assert rise_mb < 200


def _apart(path: Path) -> tuple[str, float, float]:
    """Reads a file in a forked process: what came of it, processor seconds, rise of memory in MB."""
    out, into = os.pipe()
    child = os.fork()
    if not child:
        os.close(out)
        signal.alarm(60)
        Path("/proc/self/clear_refs").write_text("5")
        before, started = _memory("VmRSS"), time.process_time()
        try:
            said = f"read {len(read_entries(path))} entries"
        except ReadError as error:
            said = str(error).removeprefix(f"{path.parent}/")
        except BaseException as error:
            said = f"crashed: {type(error).__name__}"
        used = time.process_time() - started
        os.write(into, f"{said[:300]}\0{used}\0{_memory('VmHWM') - before}".encode())
        os._exit(0)
    os.close(into)
    with os.fdopen(out) as stream:
        found = stream.read()
    os.waitpid(child, 0)
    said, seconds, rise = found.split("\0") if found else ("killed after 60 s", "60", "0")
    return said, float(seconds), float(rise)


def _memory(name: str) -> float:
    """A figure of ``/proc/self/status``, in MB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024
