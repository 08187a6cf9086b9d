import re

import numpy as np
import pytest
from conftest import save_huge_png, save_picture
from PIL import Image

from groupshot.cast import Cast, Concept, asked, check_nouns
from groupshot.errors import UserError
from groupshot.photo import Photo, pictures_in


def refused(folder, *words: str) -> str:
    with pytest.raises(UserError) as caught:
        Cast.load(folder)
    said = str(caught.value)
    for word in words:
        assert word in said
    assert "\n" not in said
    return said


def test_folders_are_concepts(folder):
    cast = Cast.load(folder)
    assert cast.names == ("luna", "rex")
    assert [concept.noun for concept in cast.concepts] == ["cat", "cat"]
    assert [photo.path.name for photo in cast.concepts[0].photos] == ["1.jpg", "2.jpg"]
    assert cast.concepts[0].photos[0].mask() is None


def test_cast_yaml_is_exhaustive(folder):
    save_picture(folder / "bay" / "1.jpg")
    save_picture(folder / "both" / "1.jpg")
    save_picture(folder / "both" / "1.luna.mask.png", colour="white")
    (folder / "luna.cat").rename(folder / "luna")
    (folder / "cast.yaml").write_text(
        "concepts:\n"
        "  luna: {class: cat}\n"
        "  ida:\n"
        "  bay: {class: beach, kind: background, images: ['bay/*.jpg']}\n"
        "together:\n"
        "  - {image: both/1.jpg, shows: [luna, ida]}\n"
    )
    cast = Cast.load(folder)
    assert cast.names == ("luna", "ida", "bay")
    assert cast.concepts[1] == Concept(name="ida")
    assert cast.concepts[2].kind == "background"
    (both,) = cast.together
    assert both.shows == ("luna", "ida")
    assert list(both.masks) == ["luna"]
    assert both.masks["luna"].mode == "L"


def test_a_photo_may_say_on_which_side_somebody_is(folder):
    save_picture(folder / "both" / "1.jpg")
    row = "{image: both/1.jpg, shows: [luna, rex], where: {rex: left}}"
    (folder / "cast.yaml").write_text(f"together: [{row}]")
    assert Cast.load(folder).together[0].where == {"rex": "left"}


@pytest.mark.parametrize(
    ("rows", "pairs"),
    [
        (["shows: [ida, otto, bay]", "shows: [otto, ida]"], {("ida", "otto")}),
        (["shows: [ida, otto]", "shows: [ida]"], set()),
        (["shows: [ida, otto, luna]", "shows: [otto, ida]"], {("ida", "otto")}),
        (["shows: [ida, otto]", "shows: [ida, otto], where: {otto: left}"], set()),
        (["shows: [ida, otto], where: {otto: left, ida: left}"], {("ida", "otto")}),
    ],
)
def test_who_is_only_ever_seen_together_and_nothing_tells_apart(folder, rows, pairs):
    photos = [save_picture(folder / "both" / f"{i}.jpg") for i, _ in enumerate(rows)]
    lines = [f"{{image: both/{p.name}, {row}}}" for p, row in zip(photos, rows, strict=True)]
    (folder / "cast.yaml").write_text(
        "concepts: {luna: {images: luna.cat/*}, ida: {}, otto: {}, bay: {kind: background, images: "
        f"rex.cat/*}}}}\ntogether: [{', '.join(lines)}]"
    )
    assert {(a.name, b.name) for a, b in Cast.load(folder).entangled} == pairs


def test_a_cast_yml_is_not_read(folder):
    (folder / "cast.yml").write_text("together: []")
    refused(folder, "call it cast.yaml")


@pytest.mark.parametrize("photo", ["", "summer/1.jpg"])
def test_a_subject_without_photos_of_its_own(folder, photo):
    (folder / "milo.cat").mkdir()
    if photo:
        save_picture(folder / "milo.cat" / photo)
    refused(folder, "milo.cat has no picture of its own")


@pytest.mark.parametrize("shared", ["trip.2024/1.jpg", "milo.cat/1.jpg"])
def test_a_folder_with_photos_of_several_alone_is_no_subject_s(folder, shared):
    save_picture(folder / shared)
    (folder / "notes.d").mkdir()
    (folder / "notes.d" / "a.txt").touch()
    (folder / "cast.yaml").write_text(f"together: [{{image: {shared}, shows: [luna, rex]}}]")
    assert Cast.load(folder).names == ("luna", "rex")


def test_a_photo_of_several_shows_none_of_them_alone(folder):
    (folder / "luna.cat").rename(folder / "luna")
    (folder / "cast.yaml").write_text(
        "concepts: {luna: {class: cat}, rex: {class: dog, images: [luna/2.jpg, rex.cat/*]}}\n"
        "together: [{image: luna/2.jpg, shows: [luna, rex]}]\n"
    )
    luna, rex = Cast.load(folder).concepts
    assert [photo.path.name for photo in luna.photos] == ["1.jpg"]
    assert all(photo.path.parent.name == "rex.cat" for photo in rex.photos)


def test_a_folder_of_photos_together_is_no_concept(folder):
    save_picture(folder / "both" / "1.jpg")
    (folder / "cast.yaml").write_text("together: [{image: both/1.jpg, shows: [luna, rex]}]")
    assert Cast.load(folder).names == ("luna", "rex")


def test_photos_in_human_order(tmp_path):
    for name in ("10.JPG", "2.jpg", "1.png", "a.webp", "2.mask.png", "._2.jpg", "notes.txt"):
        save_picture(tmp_path / "p.png").rename(tmp_path / name)
    assert [path.name for path in pictures_in(tmp_path)] == ["1.png", "2.jpg", "10.JPG", "a.webp"]


def test_exif_orientation_turns_photo_and_mask(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a telephone held upright
    path = save_picture(tmp_path / "1.jpg", size=(80, 40), exif=exif)
    mask = save_picture(tmp_path / "1.mask.png", size=(40, 80), colour="white")
    photo = Photo(path=path, mask_path=mask)
    photo.check()
    assert photo.image().size == (40, 80)


@pytest.mark.parametrize("mode", ["CMYK", "L", "P", "1"])
def test_every_mode_is_given_in_rgb(tmp_path, mode):
    path = tmp_path / ("1.jpg" if mode == "CMYK" else "1.png")
    Image.new("RGB", (40, 40), "white").convert(mode).save(path)
    image = Photo(path=path).image()
    assert image.mode == "RGB"
    assert image.getpixel((20, 20)) == (255, 255, 255)


def test_sixteen_bits_of_grey_are_scaled(tmp_path):
    Image.fromarray(np.linspace(0, 65535, 1600).reshape(40, 40).astype(np.uint16)).save(
        tmp_path / "1.png"
    )
    grey = np.asarray(Photo(path=tmp_path / "1.png").image())
    assert 120 < grey.mean() < 135


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "1.gif", save_all=True, append_images=frames[1:])
    assert Photo(path=tmp_path / "1.gif").image().getpixel((0, 0)) == (255, 0, 0)


def test_alpha_is_laid_on_white_and_is_the_mask(tmp_path):
    picture = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    picture.paste((0, 0, 255, 255), (0, 0, 20, 40))
    picture.save(tmp_path / "1.png")
    photo = Photo(path=tmp_path / "1.png")
    assert photo.image().getpixel((30, 0)) == (255, 255, 255)
    mask = photo.mask()
    assert mask is not None
    assert (mask.getpixel((10, 0)), mask.getpixel((30, 0))) == (255, 0)


def test_an_opaque_alpha_channel_is_no_mask(tmp_path):
    Image.new("RGBA", (40, 40), "red").save(tmp_path / "1.png")
    assert Photo(path=tmp_path / "1.png").mask() is None


def test_no_folder(tmp_path):
    refused(tmp_path / "nowhere", "nowhere", "not a folder")


def test_empty_folder(tmp_path):
    refused(tmp_path, "no folder with pictures")


def test_folder_without_a_readable_picture(tmp_path):
    (tmp_path / "luna").mkdir()
    (tmp_path / "luna" / "1.txt").write_text("a cat")
    refused(tmp_path, "no folder with pictures")


def test_telephone_format(folder):
    (folder / "luna.cat" / "3.HEIC").write_bytes(b"")
    refused(folder, "3.HEIC", "JPEG or PNG")


def test_truncated_jpeg(folder):
    path = save_picture(folder / "luna.cat" / "3.jpg", size=(200, 200))
    path.write_bytes(path.read_bytes()[:-200])
    refused(folder, "3.jpg", "cut short")


def test_text_named_jpg(folder):
    (folder / "luna.cat" / "3.jpg").write_text("a cat")
    refused(folder, "3.jpg", "cannot be read")


def test_huge_picture_is_refused_from_its_header(folder):
    save_huge_png(folder / "luna.cat" / "3.png")
    refused(folder, "3.png", "million pixels")


def test_one_pixel(folder):
    save_picture(folder / "luna.cat" / "3.png", size=(1, 1))
    refused(folder, "3.png", "larger picture")


def test_two_concepts_of_one_name(folder):
    save_picture(folder / "luna" / "1.jpg")
    refused(folder, "both called luna")


def test_two_lines_of_one_name(folder):
    (folder / "cast.yaml").write_text("concepts:\n  luna: {class: cat}\n  luna: {class: dog}\n")
    refused(folder, "cast.yaml", "'luna' stands there twice")


@pytest.mark.parametrize("name", ["Luna", "1luna", "lu na", "luna_2"])
def test_illegal_name(folder, name):
    save_picture(folder / name / "1.jpg")
    refused(folder, f"'{name}'", "cannot be a concept's name")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("concepts: [", "line 1: not YAML"),
        ("concepts:\n\t- luna", "line 2: not YAML"),
        ("just words", "must be 'key: value' lines"),
        ("concept: {}", "write concepts"),
        ("concepts: {luna: {classes: cat}}", "write class"),
        ("concepts: {luna: {kind: person}}", "write thing or background"),
        ("concepts: {luna: {class: [cat]}}", "write one word"),
        ("concepts: {luna: {class: ' '}}", "write one word"),
        ("concepts: {luna: cat}", "must be 'key: value' lines"),
        ("concepts: {no: {class: cat}}", "'False' cannot be a concept's name"),
        ("concepts: {ghost: {class: cat}}", "put photos of ghost there"),
        ("concepts: {luna: {images: '../*.jpg'}}", "leads out of"),
        ("concepts: {luna: {images: 'none/*.jpg'}}", "no picture matches"),
        ("concepts: {luna: {images: 3}}", "write a list"),
        ("together: 3", "is a list of"),
        ("together: [{image: both.jpg}]", "needs an image and whom it shows"),
        ("together: [{image: /etc/both.jpg, shows: [luna]}]", "leads out of"),
        ("together: [{image: both.jpg, shows: [luna]}]", "both.jpg, which is not there"),
        ("together: [{image: both.jpg, shows: [luna, luna]}]", "shows luna twice"),
        ("together: [{image: b.jpg, shows: [luna], where: left}]", "where of 'b.jpg' must be"),
        ("together: [{image: b.jpg, shows: [luna], where: {rex: left}}]", "write luna"),
        ("together: [{image: b.jpg, shows: [luna], where: {luna: up}}]", "write left or right"),
        ("together: [{image: luna.cat/1.jpg, shows: [stranger]}]", "stranger"),
    ],
)
def test_broken_cast_yaml(folder, text, words):
    (folder / "cast.yaml").write_text(text)
    refused(folder, words)


def test_cast_yaml_that_is_no_text(folder):
    (folder / "cast.yaml").write_bytes(b"\xff\xfe\x00\x81")
    refused(folder, "cast.yaml")


def test_mask_of_another_size(folder):
    save_picture(folder / "luna.cat" / "1.mask.png", size=(32, 64))
    refused(folder, "1.mask.png", "the size of its photo")


@pytest.mark.parametrize("grey", [0, 1, 127])
def test_mask_that_marks_nothing(folder, grey):
    save_picture(folder / "luna.cat" / "1.mask.png", colour=(grey, grey, grey))
    refused(folder, "1.mask.png", "marks nothing")


def test_mask_painted_on_a_transparent_layer(tmp_path):
    path = save_picture(tmp_path / "1.jpg")
    layer = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    layer.paste((255, 255, 255, 255), (0, 0, 32, 64))
    layer.save(tmp_path / "1.mask.png")
    mask = Photo(path=path, mask_path=tmp_path / "1.mask.png").mask()
    assert mask is not None
    assert (mask.getpixel((10, 0)), mask.getpixel((50, 0))) == (255, 0)


def test_wholly_transparent_photo(folder):
    Image.new("RGBA", (64, 64), (255, 0, 0, 0)).save(folder / "luna.cat" / "3.png")
    refused(folder, "3.png", "wholly transparent")


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        ("luna.cat/7.mask.png", "masks no photo"),
        ("luna.cat/1.luna.mask.png", "name it 1.mask.png"),
        ("luna.cat/1.tom.mask.png", "'tom' is none of ida, luna, rex"),
        ("luna.cat/masks/1.mask.png", "masks no photo"),
        ("both/1.mask.png", "name it like 1.luna.mask.png"),
        ("both/1.ida.mask.png", "add ida to `shows`"),
        ("both/1.tom.mask.png", "'tom' is none of ida, luna, rex"),
        ("luna.cat/1.mask.jpg", "is no .mask.png"),
        ("luna.cat/1.mask.PNG", "is no .mask.png"),
        ("both/1.luna.mask.webp", "is no .mask.png"),
    ],
)
def test_mask_that_would_never_be_used(folder, mask, words):
    save_picture(folder / "ida.cat" / "1.jpg")
    save_picture(folder / "both" / "1.jpg")
    (folder / "cast.yaml").write_text("together: [{image: both/1.jpg, shows: [luna, rex]}]")
    Cast.load(folder)
    save_picture(folder / mask, colour="white")
    refused(folder, mask, words)


def test_mask_of_a_photo_that_is_left_out_is_left_out_too(folder):
    save_picture(folder / "luna.cat" / "2.mask.png", colour="white")
    (folder / "cast.yaml").write_text("concepts: {luna: {images: luna.cat/1.jpg}}")
    assert [photo.path.name for photo in Cast.load(folder).concepts[0].photos] == ["1.jpg"]


def test_transparency_around_several_says_not_who_is_where(folder):
    picture = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    picture.paste((0, 0, 255, 255), (0, 0, 32, 64))
    picture.save(save_picture(folder / "both" / "1.png"))
    (folder / "cast.yaml").write_text("together: [{image: both/1.png, shows: [luna, rex]}]")
    save_picture(folder / "both" / "1.luna.mask.png", colour="white")
    refused(folder, "both/1.png is transparent", "1.luna.mask.png")
    save_picture(folder / "both" / "1.rex.mask.png", colour="white")
    assert set(Cast.load(folder).together[0].masks) == {"luna", "rex"}


def test_prompt_names():
    assert asked("<rex> beside <luna>, <rex> again", ("luna", "rex")) == ("rex", "luna")
    with pytest.raises(UserError, match=re.escape("asks for <tom>: this run knows <luna>, <rex>")):
        asked("<tom> and <luna>", ("luna", "rex"))
    with pytest.raises(UserError, match="< or > too many"):
        asked("<luna and rex", ("luna", "rex"))


def test_unknown_class_word(folder):
    (folder / "luna.cat").rename(folder / "luna.catt")
    cast = Cast.load(folder)
    with pytest.raises(UserError, match="'catt' of luna: did you mean cat"):
        check_nouns(cast, ("cat", "dog", "robot"))
    check_nouns(cast, ("cat", "catt"))
