"""Reading our own source: which files there are and what stands in them."""

from __future__ import annotations

import ast
import subprocess
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ("outreach", "workers")


@lru_cache(maxsize=1)
def project_files() -> tuple[Path, ...]:
    """Every file that is or would be committed, absolute."""
    out = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
    paths = (ROOT / name for name in out.stdout.decode().split("\0") if name)
    return tuple(sorted(p for p in paths if p.is_file()))


def modules(*under: str) -> list[Path]:
    """The Python files under these folders of the checkout (our packages by default)."""
    roots = [ROOT / u for u in under or CODE]
    return [p for p in project_files() if p.suffix == ".py" and any(r in p.parents for r in roots)]


@lru_cache(maxsize=512)
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def calls(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]


def called(call: ast.Call) -> str:
    """The last name of what is called: `connection.commit()` → commit."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def is_text(path: Path) -> bool:
    return b"\0" not in path.read_bytes()[:4096]
