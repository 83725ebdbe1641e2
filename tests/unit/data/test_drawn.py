"""Characters drawn from fonts; matplotlib brings the fonts of the tests."""

from __future__ import annotations

import shutil
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

import glassnet as gn
from glassnet.data.fonts import find_faces, missing
from glassnet.data.readers.drawn import SETS, distorted, draw_glyphs

FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"
SANS, SERIF, MONO, COMPUTER = (FONTS / f"{name}.ttf" for name in ("DejaVuSans", "DejaVuSerif", "DejaVuSansMono", "cmr10"))


@pytest.fixture(scope="module")
def splits() -> gn.Splits:
    return gn.draw_characters("0123", [FONTS], copies=2, size=(20, 16), seed=3)


def test_every_font_draws_every_character_as_often(splits: gn.Splits) -> None:
    parts = [part for part in (splits.train, splits.validation, splits.test) if part is not None]
    assert all(part.shape == (20, 16, 1) and part.classes == ("0", "1", "2", "3") for part in parts)
    assert all((part.counts == part.counts[0]).all() for part in parts)
    images = np.concatenate([part.images for part in parts])
    assert images.dtype == np.uint8
    assert (images.max(axis=(1, 2, 3)) > 100).all()  # ink in each
    assert np.median(images[:, 0, 0]) == 0  # on black


def test_no_design_is_in_two_parts(splits: gn.Splits) -> None:
    assert splits.validation is not None
    assert splits.test is not None
    designs = [
        set(part.groups.tolist()) for part in (splits.train, splits.validation, splits.test) if part.groups is not None
    ]
    assert len(designs) == 3
    assert sum(map(len, designs)) == len(set.union(*designs))
    assert not any("Mono" in name for part in designs for name in part)  # DejaVu Sans Mono is DejaVu Sans


def test_the_seed_decides_alone(splits: gn.Splits) -> None:
    again = gn.draw_characters("0123", [FONTS], copies=2, size=(20, 16), seed=3)
    other = gn.draw_characters("0123", [FONTS], copies=2, size=(20, 16), seed=4)
    assert (again.train.images == splits.train.images).all()
    assert sorted(other.train.images.sum(axis=(1, 2, 3))) != sorted(splits.train.images.sum(axis=(1, 2, 3)))


def test_copies_differ_and_resemble_their_glyph() -> None:
    face = find_faces([SANS], "8").faces[0]
    glyph = draw_glyphs(face, "8", (64, 64))
    copies = np.stack([distorted(glyph, [seed])[0, ..., 0] for seed in range(8)]).reshape(8, -1).astype(float)
    plain = glyph[0].reshape(32, 2, 32, 2).mean(axis=(1, 3)).ravel()
    assert len(np.unique(copies, axis=0)) == 8
    assert all(np.corrcoef(copy, plain)[0, 1] > 0.5 for copy in copies)


def test_characters_keep_their_relative_sizes() -> None:
    face = find_faces([SERIF], "oO.").faces[0]
    small, large, dot = ((glyph > 100).sum() for glyph in draw_glyphs(face, "oO.", (40, 40)))
    assert dot < small < large


def test_fonts_of_the_test_are_held_out() -> None:
    splits = gn.draw_characters("ab", [SANS, SERIF, FONTS / "STIXGeneral.ttf"], test_fonts=[COMPUTER], copies=3)
    assert splits.test is not None
    assert set(splits.test.groups.tolist()) == {"cmr10"}  # type: ignore[union-attr]  # there are groups
    assert len(splits.train) + len(splits.validation or ()) == 3 * 2 * 3


def test_a_folder_leaves_out_what_lacks_a_character(tmp_path: Path) -> None:
    for font in (SANS, SERIF, MONO, FONTS / "cmmi10.ttf"):
        shutil.copy(font, tmp_path)
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    splits = gn.draw_characters("éè", [tmp_path], split="stratified", copies=4)
    assert [Path(name).name for name in splits.left_out] == ["cmmi10.ttf"]
    assert "é" in splits.reasons[0]


def test_the_level_one_characters_are_those_of_gb_2312() -> None:
    assert len(set(SETS["hanzi"])) == 3755
    assert (SETS["hanzi"][0], SETS["hanzi"][-1]) == ("啊", "座")
    assert missing(find_faces([SANS], "a").faces[0], SETS["hanzi"][:3]) == ["啊", "阿", "埃"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"characters": "0"}, "These are not characters to be drawn"),
        ({"characters": "011"}, "'1' twice"),
        ({"characters": ["a", "bc"]}, "'bc'"),
        ({"characters": "a b"}, "' '"),
        ({"characters": "ab", "copies": 0}, "number of copies"),
        ({"characters": "ab", "size": -1}, "not an image size"),
        ({"characters": "啊阿", "fonts": [SANS]}, "no glyph for some of the characters"),
        ({"characters": "啊阿", "fonts": [FONTS]}, "None of these fonts has all"),
        ({"characters": "ab", "fonts": ["DejaVu Sanz"]}, "no such font on this machine"),
        ({"characters": "ab", "fonts": [__file__]}, "not a font that can be read"),
        ({"characters": "ab", "fonts": [SANS, MONO]}, "too few groups"),
        ({"characters": "ab", "fonts": [SANS], "test_fonts": [MONO]}, "held out for the test"),
    ],
)
def test_wrong_input_is_one_message(options: dict[str, object], message: str) -> None:
    with pytest.raises(gn.GlassnetError, match=message):
        gn.draw_characters(**{"fonts": [SANS, SERIF, COMPUTER], **options})  # type: ignore[arg-type]  # that is the point


def test_a_recipe_draws_its_data(tmp_path: Path) -> None:
    recipe = gn.load_recipe("digits").changed(
        {"data.characters": "01", "data.fonts": [str(FONTS)], "data.copies": 2, "data.size": 8}
    )
    (tmp_path / "drawn.toml").write_text(recipe.to_toml(), encoding="utf-8")
    again = gn.load_recipe(tmp_path / "drawn.toml")
    assert again.data == recipe.data
    assert again.data.read().train.shape == (8, 8, 1)
    with pytest.raises(gn.RecipeError, match="either drawn from fonts or read from a path"):
        recipe.changed({"data.path": "photos"})
