"""The look's promises: what ships is what the manifest says, and no page needs what the policy refuses."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
from django.template.loader import get_template

ROOT = Path(__file__).resolve().parents[2]
VENDOR = ROOT / "static" / "vendor"
TEMPLATES = ROOT / "templates"
PATHS = sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*") if path.is_file())
FILES = json.loads((VENDOR / "manifest.json").read_text())["files"]


class TestVendoredFiles:
    @pytest.mark.parametrize("entry", FILES, ids=lambda entry: str(entry["file"]))
    def test_are_what_the_manifest_says(self, entry: dict[str, str]) -> None:
        assert hashlib.sha256((VENDOR / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
        assert (VENDOR / entry["licence_file"]).read_text().strip()

    def test_are_all_in_the_manifest(self) -> None:
        known = (
            {entry["file"] for entry in FILES}
            | {entry["licence_file"] for entry in FILES}
            | {"manifest.json"}
        )
        assert {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file()} == known


class TestTemplates:
    @pytest.mark.parametrize("path", PATHS)
    def test_compile(self, path: str) -> None:
        get_template(path)

    @pytest.mark.parametrize("path", [path for path in PATHS if "/email/" not in path])
    def test_hold_nothing_that_the_content_security_policy_refuses(self, path: str) -> None:
        text = (TEMPLATES / path).read_text()
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:|hx-on|<script(?![^>]*\ssrc=)", text)

    def test_name_only_icons_that_the_sprite_has(self) -> None:
        sprite = set(
            re.findall(r'<symbol id="([^"]+)"', (VENDOR / "tabler-icons" / "sprite.svg").read_text())
        )
        used = {
            name
            for path in PATHS
            for name in re.findall(
                r'components/icon\.html" with name=(?:[a-z.]+\|default:)?"([^"]+)"',
                (TEMPLATES / path).read_text(),
            )
        }
        assert used <= sprite

    def test_and_views_name_only_icons_that_the_sprite_has(self) -> None:
        sprite = set(
            re.findall(r'<symbol id="([^"]+)"', (VENDOR / "tabler-icons" / "sprite.svg").read_text())
        )
        sources = [path for path in ROOT.glob("[a-z]*/**/*.py") if path.parts[len(ROOT.parts)] != "tests"]
        used = {name for path in sources for name in re.findall(r'icon="([a-z0-9-]+)"', path.read_text())}
        assert used
        assert used <= sprite
