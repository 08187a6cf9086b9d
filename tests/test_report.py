from PIL import Image

from groupshot.report import CELL, GAP, Row, fitted, sheet


def test_rows_are_laid_below_one_another():
    red, blue = (Image.new("RGB", (64, 64), colour) for colour in ("red", "blue"))
    rows = [
        Row(heading="photos", pictures=[red]),
        Row(heading="drawn", pictures=[blue, blue], captions=["one", "two " * 100]),
    ]
    page = sheet(rows)
    assert page.size == (GAP + 2 * (CELL + GAP), GAP + sum(row.height + GAP for row in rows))
    colours = {colour for _, colour in page.getcolors(page.width * page.height) or []}
    assert {(255, 0, 0), (0, 0, 255), (255, 255, 255)} <= colours


def test_pictures_keep_their_proportions():
    cell = fitted(Image.new("RGB", (200, 100), "red"))
    assert cell.size == (CELL, CELL)
    assert cell.getpixel((CELL // 2, CELL // 2)) == (255, 0, 0)
    assert cell.getpixel((CELL // 2, 4)) == (255, 255, 255)
