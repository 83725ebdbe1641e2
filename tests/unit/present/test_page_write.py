"""The page's JavaScript modules become one script, with their Chinese texts and a policy that lets only this script run."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

import glassnet as gn
from glassnet.present.page.write import MODULES, chinese, joined, page_of
from glassnet.support.i18n import tr
from tests.catalogue import from_scripts


def folder_of(tmp_path: Path, **sources: str) -> Path:
    for name, source in sources.items():
        (tmp_path / f"{name}.js").write_text(source, encoding="utf-8")
    return tmp_path


def test_modules_are_joined_in_the_order_of_their_imports(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path,
        app='import { b } from "./b.js";\nimport { c, d } from "./c.js";\nconst a = b + c + d;\n',
        b='import { c } from "./c.js";\nexport const b = c + 1;\nconst exported = "export const";\n',
        c="export const c = 1;\nexport async function d() {}\n",
        other="export const unused = 1;\n",
    )
    script = joined("app.js", folder)
    lines = [line for line in script.splitlines() if line and not line.startswith("//")]
    assert lines == [
        "const c = 1;",
        "async function d() {}",
        "const b = c + 1;",
        'const exported = "export const";',
        "const a = b + c + d;",
    ]


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ({"app": "const a = 1;\n", "b": ""}, None),
        (
            {"app": 'import { b } from "./b.js";\nfunction a() {}\n', "b": "export const b = 1;\nclass a {}\n"},
            "declare the name a",
        ),
        ({"app": 'import { b } from "./b.js";\n', "b": 'import { a } from "./app.js";\n'}, "in a circle"),
        ({"app": 'import { b } from "./nowhere.js";\n'}, "can't be read"),
        ({"app": 'import b from "./b.js";\n'}, "This form of import"),
        ({"app": "export default 1;\n"}, "This form of import"),
        ({"app": "const a = () => import('./b.js');\n"}, "This form of import"),
        ({"app": 'const a = "</script>";\n'}, "may not contain"),
    ],
)
def test_modules_that_cannot_be_joined(tmp_path: Path, sources: dict[str, str], message: str | None) -> None:
    folder = folder_of(tmp_path, **sources)
    if message is None:
        assert "const a" in joined("app.js", folder)
        return
    with pytest.raises(gn.InputError, match=message):
        joined("app.js", folder)


def test_texts_of_a_script_are_extracted_also_inside_others(tmp_path: Path) -> None:
    file = tmp_path / "a.js"
    file.write_text(
        'say("One " + "two", { n: words("three") });\n'
        'label(make("div", [1, 2]), "four", {}, "title"); // say("no")\n'
        'const x = mark("it\\u2019s \\"five\\""); say(x); function words(english) {} words(`no`);\n',
        encoding="utf-8",
    )
    with file.open("rb") as opened:
        assert [text for *_, text, _ in from_scripts(opened, None, None, None)] == ["One two", "three", "four", 'it’s "five"']


def test_the_chinese_of_what_the_script_says_and_no_more() -> None:
    text = "Opening the network …"
    assert chinese(f'say("{text}"); say("Opening the " +\n  "network …"); say("nothing known", "\\x41")') == {
        text: tr(text).zh
    }


def test_the_policy_has_the_hash_of_every_inline_script_and_style() -> None:
    page = page_of("A <network>", "AAAA", [tr("loss before")], entry="text.js")
    assert "A &lt;network&gt;" in page
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert "unsafe-inline" not in policy[1]
    assert "connect-src 'none'" in policy[1]
    found = re.findall(r'<(?:script|style)(?: type="module")?>(.*?)</(?:script|style)>', page, re.DOTALL)
    assert len(found) == 3  # the style, the script of all pages, the modules
    for content in found:
        assert base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() in policy[1]
    texts = re.search(r'id="texts">(.*?)</script>', page)
    assert texts is not None
    assert json.loads(texts[1]) == {"loss before": tr("loss before").zh}
    assert '<script type="application/octet-stream;base64" id="bundle">AAAA</script>' in page


def test_every_module_is_small() -> None:
    assert {path.name: lines for path in MODULES.glob("*.js") if (lines := len(path.read_text().splitlines())) > 250} == {}
