"""Photos, scans and drawings made like the training images: what is found, where it is put, and what is said."""

from __future__ import annotations

import json
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import glassnet as gn
from benchmarks.photos import overlap, photo
from glassnet.data.background import background, fit_background
from glassnet.data.decode import quiet
from glassnet.data.find import ONE, PAGE, find_all, look
from glassnet.data.ink import ink_box, ink_centre, stroke_width
from glassnet.data.parts import find_parts, widest_gaps
from glassnet.experiment.run import read_splits

Array = np.ndarray[Any, Any]
PAPER, PEN = 220, 40


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> gn.Run:
    """A network that reads the digits of scikit-learn: 8 × 8 pixels, light on black."""
    return gn.train("digits", epochs=20, seed=0, out=tmp_path_factory.mktemp("prepare") / "digits", progress=False)


def style(**changes: Any) -> gn.ImageStyle:
    """As MNIST is: 20 pixels of 28, centred by mass, on black."""
    known: dict[str, Any] = {
        "ground": 0.0, "contrast": 1.0, "height": 20.0, "width": 15.0, "side": 20.0, "y": 14.0, "x": 14.0, "stroke": 2.3,
        "thin": 1.0, "least": 19.0, "most": 20.5, "off": 0.8,
    }  # fmt: skip
    return gn.ImageStyle(ink=True, **(known | changes))


@pytest.fixture
def like() -> gn.Network:
    """A network of 28 × 28 pixels; what it answers does not matter."""
    net = gn.Network(["Flatten", "Pixels", gn.Dense(3)], input_shape=(28, 28, 1), seed=0)
    net.image_style = style()
    return net


def cross(shape: tuple[int, int] = (300, 400), at: tuple[int, int] = (80, 220), size: int = 100, width: int = 12) -> Array:
    """Ink, 0…1: a cross of two strokes in a square of `size` pixels whose corner is `at`."""
    ink = np.zeros(shape, np.float32)
    top, left = at
    middle = (size - width) // 2
    ink[top : top + size, left + middle : left + middle + width] = 1
    ink[top + middle : top + middle + width, left : left + size] = 1
    return ink


def on_paper(ink: Array, *, paper: float = PAPER, pen: float = PEN, noise: float = 4) -> Array:
    values = paper * (1 - ink) + pen * ink + np.random.default_rng(0).normal(0, noise, ink.shape)
    return np.clip(values, 0, 255).astype(np.uint8)


def check_placed(pixels: Array, side: float = 20) -> None:
    """Light on black, of the right size, in the middle."""
    assert pixels.shape == (28, 28, 1)
    assert pixels.dtype == np.uint8
    ink = pixels[..., 0].astype(np.float32) / 255
    box = ink_box(ink)
    assert box is not None
    assert max(box[2] - box[0], box[3] - box[1]) == pytest.approx(side, abs=0.6)
    assert ink_centre(ink) == pytest.approx((14, 14), abs=0.3)
    assert np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]]).max() == 0
    assert ink.max() > 0.9


# ------------------------------------------------------------------ one character


@pytest.mark.parametrize(("paper", "pen", "said"), [(PAPER, PEN, "dark ink on light"), (PEN, PAPER, "light ink on dark")])
def test_both_polarities_become_the_training_images(like: gn.Network, paper: float, pen: float, said: str) -> None:
    record = gn.prepare(on_paper(cross(), paper=paper, pen=pen), like, return_record=True)
    check_placed(record.pixels)
    assert record.kind == "ink"
    assert said in record.steps
    assert record.box is not None
    assert overlap(record.box, (220, 80, 320, 180)) > 0.9
    np.testing.assert_array_equal(gn.prepare(on_paper(cross(), paper=paper, pen=pen), like), record.pixels)


def test_a_network_trained_on_dark_ink_gets_dark_ink(like: gn.Network) -> None:
    like.image_style = style(ground=1.0, contrast=-1.0)
    pixels = gn.prepare(on_paper(cross(), paper=PEN, pen=PAPER), like)
    assert np.median(pixels) == 255
    check_placed(255 - pixels)


def test_shading_is_removed(like: gn.Network) -> None:
    y, x = np.mgrid[0:300, 0:400] / 400
    light = 0.45 + 0.7 * x - 0.4 * (y - 0.3) ** 2
    image = np.clip(on_paper(cross()) * light, 0, 255).astype(np.uint8)
    assert (
        image[:, :100].mean() < image[100:150, 250:260].mean() + 60 < image[:, -100:].mean() + 60
    )  # ink lighter than dark paper
    record = gn.prepare(image, like, return_record=True)
    check_placed(record.pixels)
    assert any("shading of" in step for step in record.steps)
    even = gn.prepare(on_paper(cross()), like)
    assert np.abs(record.pixels.astype(int) - even).mean() < 4


@pytest.mark.parametrize("value", [0, 128, 255])
def test_blank(like: gn.Network, value: int) -> None:
    image = np.clip(value + np.random.default_rng(0).normal(0, 6, (300, 400)), 0, 255).astype(np.uint8)
    for page in (image, np.full((200, 300), value, np.uint8)):
        record = gn.prepare(page, like, return_record=True)
        assert (record.kind, record.box, str(record)) == ("blank", None, "blank: no ink was found")
        assert not record.pixels.any()
        assert gn.find(page, like) == []


def test_tiny_ink(like: gn.Network) -> None:
    image = on_paper(cross((1600, 1200), (700, 500), size=40, width=6))
    record = gn.prepare(image, like, return_record=True)
    assert record.box is not None
    assert overlap(record.box, (500, 700, 540, 740)) > 0.6
    check_placed(record.pixels)


def test_ink_at_the_border_is_taken_where_there_is_no_other(like: gn.Network) -> None:
    ink = cross((300, 400), (0, 150))
    record = gn.prepare(on_paper(ink), like, return_record=True)
    assert record.box is not None
    assert overlap(record.box, (150, 0, 250, 100)) > 0.9
    both = np.maximum(ink, cross((300, 400), (160, 40), size=60, width=8))
    record = gn.prepare(on_paper(both), like, return_record=True)
    assert record.box is not None
    assert overlap(record.box, (40, 160, 100, 220)) > 0.9


def test_a_table_that_the_ink_touches_is_left_out(like: gn.Network) -> None:
    image = on_paper(cross(at=(80, 220)))
    y, x = np.mgrid[0:300, 0:400]
    table = x - y > 225
    image[table & (cross(at=(80, 220)) == 0)] = 110
    assert table[80:180, 220:320].any()
    record = gn.prepare(image, like, return_record=True)
    assert record.box is not None
    assert overlap(record.box, (220, 80, 320, 180)) > 0.75


def test_thin_strokes_are_thickened(like: gn.Network) -> None:
    record = gn.prepare(on_paper(cross((800, 800), (200, 200), size=400, width=8)), like, return_record=True)
    assert any("strokes thickened" in step for step in record.steps)
    check_placed(record.pixels)
    assert stroke_width(record.pixels[..., 0].astype(np.float32) / 255) > 1.4


def test_stretched_data(like: gn.Network) -> None:
    like.image_style = style(stretched=True, height=24.0, width=20.0, centring="box")
    ink = np.zeros((300, 400), np.float32)
    ink[140:150, 100:300] = 1
    ink[100:150, 100:110] = 1
    pixels = gn.prepare(on_paper(ink), like)
    box = ink_box(pixels[..., 0].astype(np.float32) / 255)
    assert box == pytest.approx((2, 4, 26, 24), abs=0.7)


# ------------------------------------------------------------------ files


@pytest.mark.parametrize(("colour", "ground"), [((20, 20, 80), "white"), ((250, 250, 210), "black")])
def test_transparent_drawings(like: gn.Network, tmp_path: Path, colour: tuple[int, int, int], ground: str) -> None:
    pixels = np.zeros((300, 400, 4), np.uint8)
    pixels[..., :3], pixels[..., 3] = colour, 255 * cross()
    Image.fromarray(pixels).save(tmp_path / "drawing.png")
    for source in (tmp_path / "drawing.png", pixels):
        record = gn.prepare(source, like, return_record=True)
        assert record.steps[0] == f"transparent background put on {ground}"
        check_placed(record.pixels)


def test_the_orientation_of_a_camera_is_applied(like: gn.Network, tmp_path: Path) -> None:
    ink = cross()
    ink[80:180, 300:320] = 1  # not the same when turned
    upright = Image.fromarray(on_paper(ink))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    upright.save(tmp_path / "upright.png")
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    wanted, found = (gn.prepare(tmp_path / name, like, return_record=True) for name in ("upright.png", "turned.png"))
    np.testing.assert_array_equal(found.pixels, wanted.pixels)
    assert found.box == wanted.box


def test_an_unreadable_file_is_refused(like: gn.Network, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"no image")
    for ask in (gn.prepare, gn.find):
        with pytest.raises(gn.InputError, match="The file is not an image"):
            ask(tmp_path / "x.png", like)
        with pytest.raises(gn.InputError, match="The image can't be read"):
            ask(tmp_path / "nowhere.png", like)


@pytest.mark.parametrize(
    "array", [np.zeros((28, 28)), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8), np.zeros(9, np.uint8)]
)
def test_an_array_that_is_no_image_is_refused(like: gn.Network, array: Array) -> None:
    with pytest.raises(gn.InputError, match="This array is not an image"):
        gn.prepare(array, like)


def test_a_wrong_mode_is_refused(like: gn.Network) -> None:
    with pytest.raises(gn.InputError, match="did you mean 'auto'"):
        gn.prepare(np.zeros((9, 9), np.uint8), like, mode="autos")  # type: ignore[call-overload]


# ------------------------------------------------------------------ what needs no preparation


def test_training_images_are_left_as_they_are(run: gn.Run) -> None:
    for image in run.splits.validation.images[:100]:  # type: ignore[union-attr]
        record = gn.prepare(image, run, return_record=True)
        assert record.kind == "unchanged"
        np.testing.assert_array_equal(record.pixels, image)
    inverted = 255 - run.splits.train.images[0]
    assert gn.prepare(inverted, run, return_record=True).kind == "ink"
    assert gn.prepare(inverted, run, mode="none", return_record=True).steps == ()
    np.testing.assert_array_equal(gn.prepare(inverted, run, mode="none"), inverted)


def test_photographs_are_only_resized() -> None:
    rng = np.random.default_rng(0)
    for channels in (1, 3):
        data = gn.Dataset(rng.integers(0, 256, (40, 12, 12, channels), np.uint8), np.arange(40) % 2)
        assert not gn.ImageStyle.of(data).ink
        image = rng.integers(0, 256, (24, 24, 3), np.uint8)
        record = gn.prepare(image, data, return_record=True)
        assert (record.kind, record.pixels.shape) == ("resized", (12, 12, channels))
        assert str(record) == "only resized, as the training images were: they are not ink on a plain ground"
        with pytest.raises(gn.InputError, match="Ink can only be looked for"):
            gn.find(image, data)


def test_a_model_that_does_not_know_its_training_images(like: gn.Network, tmp_path: Path, run: gn.Run) -> None:
    like.image_style = None
    like.save(tmp_path / "old.safetensors")
    old = gn.Network.load(tmp_path / "old.safetensors")
    assert old.image_style is None
    assert "does not say" in str(gn.prepare(on_paper(cross()), old, return_record=True))
    with pytest.raises(gn.InputError, match="use the run folder"):
        gn.prepare(on_paper(cross()), old, mode="ink")
    twin = gn.Run.load(run.folder)
    twin.network.image_style = None
    assert gn.prepare(on_paper(cross()), twin, return_record=True).kind == "ink"  # learnt from the run's data


# ------------------------------------------------------------------ what is learnt of the training images


def test_the_style_of_the_digits_is_saved_with_the_network(run: gn.Run, tmp_path: Path) -> None:
    learnt = gn.ImageStyle.of(run.splits.train)
    assert learnt.ink
    assert (learnt.ground, learnt.contrast, learnt.centring, learnt.stretched) == (0.0, 1.0, "box", False)
    assert 7.5 < learnt.side < 8.5
    assert run.network.image_style == gn.Run.load(run.folder).network.image_style == learnt
    run.network.save(tmp_path / "again.safetensors")
    assert gn.Network.load(tmp_path / "again.safetensors").image_style == learnt
    assert run.network.astype("float64").image_style == learnt
    assert gn.ImageStyle.from_description(json.loads(json.dumps(learnt.describe()))) == learnt
    again = gn.Network.load(tmp_path / "again.safetensors")
    again.fit(run.splits.train.head(20), 1, progress=False)
    assert again.image_style is None  # it was that of the images trained on before


@pytest.mark.parametrize(
    "wrong", [None, [], {"ink": 1}, {"ink": True, "centring": "left"}, {"ink": True, "y": "3"}, {"no": 1}]
)
def test_a_damaged_style_is_refused(wrong: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        gn.ImageStyle.from_description(wrong)


@pytest.mark.parametrize(("polarity", "contrast"), [(1, 0.8), (-1, -0.8)])
def test_the_style_of_drawn_images(polarity: int, contrast: float) -> None:
    """Boxes of 12 × 6 pixels, outlines of 2, somewhere on 20 × 20: each measure is known."""
    rng = np.random.default_rng(3)
    images = np.zeros((60, 20, 20, 1), np.uint8)
    for image in images:
        top, left = rng.integers(2, 6), rng.integers(3, 10)
        image[top : top + 12, left : left + 6] = 204
        image[top + 2 : top + 10, left + 2 : left + 4] = 0
    data = gn.Dataset(images if polarity > 0 else 255 - images, np.arange(60) % 2)
    found = gn.ImageStyle.of(data)
    assert found.contrast == pytest.approx(contrast, abs=0.01)
    assert (found.height, found.width) == pytest.approx((12.2, 6.2), abs=0.05)  # 0.4 is crossed 0.1 before a pixel's edge
    assert found.stroke == pytest.approx(2, abs=0.35)
    assert found.stretched


def test_gaps_between_parts() -> None:
    ink = np.zeros((40, 40), np.float32)
    for top in (5, 15, 30):  # 三
        ink[top : top + 3, 5:35] = 1
    assert widest_gaps(find_parts(ink, 0.5)[1]) == (12, 0)
    assert widest_gaps(find_parts(ink.T, 0.5)[1]) == (0, 12)


def test_the_background_is_fitted_beside_the_ink() -> None:
    y, x = np.mgrid[-1:1:101j, -1:1:101j] * (100 / 101)
    wanted = 150 + 30 * x - 20 * y + 10 * x * x + 5 * x * y - 8 * y * y
    image = np.where(cross((101, 101), (20, 30), 50, 8) > 0, 20, wanted).astype(np.float32)
    c = fit_background(image)
    assert np.abs(background(c, (101, 101), (0, 0, 101, 101)) - wanted).max() < 1.5
    for shape in ((1, 1), (1, 9), (9, 1), (2, 2)):
        assert background(fit_background(np.full(shape, 7, np.float32)), shape, (0, 0, *shape)) == pytest.approx(7, abs=0.1)


# ------------------------------------------------------------------ pages


def page(*glyphs: tuple[int, int, Array]) -> Array:
    ink = np.zeros((400, 600), np.float32)
    for top, left, glyph in glyphs:
        area = ink[top : top + glyph.shape[0], left : left + glyph.shape[1]]
        np.maximum(area, glyph, out=area)
    return on_paper(ink)


def bars(*boxes: tuple[int, int, int, int]) -> Array:
    glyph = np.zeros((60, 60), np.float32)
    for top, left, bottom, right in boxes:
        glyph[top:bottom, left:right] = 1
    return glyph


CROSS = cross((60, 60), (0, 0), 60, 8)
THREE = bars((0, 8, 8, 52), (26, 12, 34, 48), (52, 0, 60, 60))  # 三
EIGHT = bars((0, 10, 60, 18), (0, 30, 60, 38))  # like 八: two strokes side by side
FIVE = bars((10, 10, 18, 40), (10, 10, 60, 18), (52, 10, 60, 45), (0, 45, 8, 58))  # its bar is detached


def test_reading_order_of_a_tilted_page(like: gn.Network) -> None:
    places = [(60 + 100 * line + 12 * column, 40 + 120 * column) for line in range(3) for column in range(5)]
    rng = np.random.default_rng(0)
    shaken = [(top + int(rng.integers(-6, 7)), left + int(rng.integers(-15, 16))) for top, left in places]
    found = gn.find(page(*[(top, left, CROSS) for top, left in shaken]), like)
    assert [one.line for one in found] == [0] * 5 + [1] * 5 + [2] * 5
    for one, (top, left) in zip(found, shaken, strict=True):
        assert one.box is not None
        assert overlap(one.box, (left, top, left + 60, top + 60)) > 0.85
        check_placed(one.pixels)


def test_parts_of_one_character_are_joined(like: gn.Network) -> None:
    image = page((50, 50, THREE), (50, 200, EIGHT), (50, 350, CROSS), (200, 50, FIVE), (200, 200, CROSS), (200, 350, CROSS))
    apart = gn.find(image, like)
    assert len(apart) == 6 + 2 + 1  # digits have no wide gaps, save a bar that comes off
    like.image_style = style(gap_y=0.3, gap_x=0.25)  # learnt from characters such as these
    joined = gn.find(image, like)
    assert len(joined) == 6
    assert [one.box and overlap(one.box, (50, 50, 110, 110)) > 0.85 for one in joined[:1]] == [True]


def test_other_characters_do_not_show_in_the_cut(like: gn.Network) -> None:
    alone = gn.find(page((50, 50, CROSS), (200, 300, CROSS)), like)[0].pixels.astype(int)
    close = gn.find(page((50, 50, CROSS), (50, 120, CROSS)), like)[0].pixels
    assert np.abs(close - alone).mean() < 2


def test_specks_are_left_out(like: gn.Network) -> None:
    speck = np.ones((3, 3), np.float32)
    assert len(gn.find(page((50, 50, CROSS), (50, 200, CROSS), (300, 300, speck), (300, 500, speck)), like)) == 2


def test_one_view_gives_both_polarities() -> None:
    ink = cross()
    for paper, pen, sign in ((PAPER, PEN, -1), (PEN, PAPER, 1)):
        found = find_all(look(on_paper(ink, paper=paper, pen=pen).astype(np.float32), PAGE), 0.1, 0.1)
        assert found is not None
        assert found.sign == sign
    assert ONE < PAGE


# ------------------------------------------------------------------ photos


def test_photographed_digits_are_read(run: gn.Run) -> None:
    test = read_splits(run.recipe).test
    assert test is not None
    rng = np.random.default_rng(0)
    images = [gn.prepare(photo(test.images[i : i + 1, ..., 0], rng)[0], run) for i in range(12)]
    assert (run.network.predict(np.stack(images)) == test.labels[:12]).sum() >= 11


def test_a_photographed_page_is_read(run: gn.Run) -> None:
    test = read_splits(run.recipe).test
    assert test is not None
    image, boxes = photo(test.images[:10, ..., 0], np.random.default_rng(2))
    found = gn.find(image, run)
    assert len(found) == 10
    assert all(overlap(one.box or (0, 0, 1, 1), box) > 0.5 for one, box in zip(found, boxes, strict=True))
    assert (run.network.predict(np.stack([one.pixels for one in found])) == test.labels[:10]).sum() >= 9


def test_the_bytes_of_a_file_are_prepared_as_the_file(like: gn.Network, tmp_path: Path) -> None:
    for name, pixels in (
        ("page.png", on_paper(cross())),
        ("page.jpg", on_paper(cross())),
        ("small.png", np.zeros((28, 28), np.uint8)),
    ):
        path = tmp_path / name
        Image.fromarray(pixels).save(path)
        for mode in ("auto", "ink", "none"):
            wanted = gn.prepare(path, like, mode=mode, return_record=True)
            found = gn.prepare(path.read_bytes(), like, mode=mode, return_record=True)
            assert (found.pixels == wanted.pixels).all()
            assert found.describe() == wanted.describe()
    with pytest.raises(ValueError, match="not an image"):
        gn.prepare(b"no image", like)


def test_warnings_stay_off_until_the_last_thread_has_decoded() -> None:
    before = warnings.filters[:]
    with quiet():
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: quiet().__enter__()).result()
        inside = warnings.filters[:]
    assert warnings.filters[:] == inside != before
    quiet().__exit__(None, None, None)
    assert warnings.filters[:] == before
