"""``kefu doctor``: what is missing or wrong here, and the command that mends it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from chatbot.commands.output import console, print_json
from chatbot.errors import KefuError
from chatbot.settings import Settings

__all__ = ["Check", "run_doctor"]

_NEEDED = (
    "torch",
    "transformers",
    "sentence-transformers",
    "faiss-cpu",
    "gradio",
    "rasa-sdk",
    "langdetect",
    "xllamacpp",
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    name: str
    ok: bool
    found: str
    mend: str = ""


def run_doctor(settings: Settings, *, as_json: bool) -> bool:
    """Looks at everything, prints it, and says whether all is well."""
    checks = [_safe(name, check, settings) for name, check in _CHECKS.items()]
    if as_json:
        print_json({"ok": all(c.ok for c in checks), "checks": [asdict(c) for c in checks]})
    else:
        for check in checks:
            mark = "[green]ok   [/green]" if check.ok else "[red]wrong[/red]"
            console.print(f"{mark} {check.name}: {check.found}", highlight=False)
            if check.mend:
                console.print(f"      → {check.mend}", highlight=False)
    return all(check.ok for check in checks)


def _safe(name: str, check: Callable[[Settings], Check], settings: Settings) -> Check:
    try:
        return check(settings)
    except KefuError as error:
        return Check(name, False, str(error), "follow the advice in the text")
    except Exception as error:
        return Check(name, False, f"{type(error).__name__}: {error}", "see the documentation")


def _python(_settings: Settings) -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    return Check("python", good, found, "" if good else "install Python 3.11 and run `make run` again")


def _packages(_settings: Settings) -> Check:
    missing = []
    for name in _NEEDED:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check("packages", False, "missing: " + ", ".join(missing), "pip install -e .")
    return Check("packages", True, f"all of {len(_NEEDED)} found")


def _cores(_settings: Settings) -> Check:
    from chatbot.models.choice import cores

    found = cores()
    return Check("cores", True, f"{found}", "" if found >= 2 else "two cores or more are advised")


def _memory(_settings: Settings) -> Check:
    file = Path("/proc/meminfo")
    if not file.exists():
        return Check("memory", True, "not known on this system")
    rows = dict(line.split(":", 1) for line in file.read_text().splitlines() if ":" in line)
    free = int(rows["MemAvailable"].split()[0]) / 1024**2
    mend = "" if free >= 2 else "free memory, or set KEFU_GENERATOR__KIND=none"
    return Check(
        "memory", free >= 2, f"{free:.1f} GiB available, 2 needed, 4 with the larger generator", mend
    )


def _generator(settings: Settings) -> Check:
    from chatbot.models import chosen_generator

    chosen = settings.generator
    if chosen.kind in ("none", "openai"):
        return Check(
            "generator", True, chosen.kind if chosen.kind == "none" else f"{chosen.model} at {chosen.url}"
        )
    choice = chosen_generator(chosen.model)
    return Check("generator", True, f"{choice.model or 'none'}: {choice.why}")


def _disk(settings: Settings) -> Check:
    folder = settings.data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1024**3
    return Check(
        "disk", free >= 1, f"{free:.1f} GiB free at {folder}", "" if free >= 1 else "free at least 1 GiB"
    )


def _models(settings: Settings) -> Check:
    from chatbot.models import verify
    from chatbot.models.commands import needed_models

    bad = [m.id for m in needed_models(settings) if not verify(m, settings.models_dir).ok]
    if bad:
        return Check("models", False, "missing or damaged: " + ", ".join(bad), "kefu models pull")
    return Check(
        "models", True, ", ".join(m.id for m in needed_models(settings)) or "none of the catalogue needed"
    )


def _database(settings: Settings) -> Check:
    from chatbot.assembly import open_database
    from knowledge_base.store import EntryStore

    database = open_database(settings)
    try:
        count = EntryStore(database.engine).count()
    finally:
        database.dispose()
    mend = "" if count else "kefu kb import FILE…, or start once with KEFU_SAMPLE=true"
    return Check("database", True, f"opens, {count} entries", mend)


_CHECKS: dict[str, Callable[[Settings], Check]] = {
    "python": _python,
    "packages": _packages,
    "cores": _cores,
    "memory": _memory,
    "generator": _generator,
    "disk": _disk,
    "models": _models,
    "database": _database,
}
