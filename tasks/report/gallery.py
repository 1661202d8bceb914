"""Pictures of what went wrong, of the scenes that answer it, and of what the retrained detector says now."""

from pathlib import Path

from PIL import Image

from dataset.images import read_image
from dataset.store import Dataset
from tasks.report.drawing import TRUTH, Mark, draw

SHEET_COLUMNS, SHEET_ROWS, SHEET_CELL_PX = 4, 6, 320


def contact_sheet(dataset: Dataset, file: Path) -> Path:
    """One JPEG of up to 24 frames spread over a data set, with their boxes."""
    count = min(len(dataset), SHEET_COLUMNS * SHEET_ROWS)
    rows = [round(i * (len(dataset) - 1) / max(count - 1, 1)) for i in range(count)]
    cells = []
    for row in rows:
        frame, objects = dataset.frame(row), dataset.objects(row)
        image = read_image(frame.image_path)
        marks = [Mark(box, TRUTH) for box in objects.box_xyxy_px[~objects.ignore]]
        cells.append(draw(image, marks, (0, 0, image.shape[1], image.shape[0]), SHEET_CELL_PX))
    return save_sheet([cells[i : i + SHEET_COLUMNS] for i in range(0, len(cells), SHEET_COLUMNS)], file)


def save_sheet(rows: list[list[Image.Image]], file: Path) -> Path:
    """Pictures side by side, row below row, as one JPEG or PNG by the file's name."""
    gap = 6
    heights = [max(cell.height for cell in row) for row in rows]
    width = max((sum(cell.width + gap for cell in row) for row in rows), default=gap) - gap
    sheet = Image.new("RGB", (max(width, 1), max(sum(heights) + gap * (len(rows) - 1), 1)), "#ffffff")
    y = 0
    for row, height in zip(rows, heights, strict=True):
        x = 0
        for cell in row:
            sheet.paste(cell, (x, y))
            x += cell.width + gap
        y += height + gap
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.stem}.partial{file.suffix}")
    sheet.save(partial)
    partial.replace(file)
    return file
