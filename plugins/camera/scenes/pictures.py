"""Makes the pictures of watch.ron: blobs on a torus, which move 4 pixels to the right and 3 up from picture to picture.

python3 pictures.py, with NumPy and Pillow.
"""
from pathlib import Path

import numpy
from PIL import Image

WIDTH, HEIGHT, COUNT = 96, 72, 24
random = numpy.random.default_rng(3)
y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH]
field = numpy.zeros((HEIGHT, WIDTH))
for _ in range(60):
    px, py = random.uniform(0, WIDTH), random.uniform(0, HEIGHT)
    radius, height = random.uniform(2, 6), random.uniform(-90, 90)
    dx = (x - px + WIDTH / 2) % WIDTH - WIDTH / 2
    dy = (y - py + HEIGHT / 2) % HEIGHT - HEIGHT / 2
    field += height * numpy.exp(-(dx**2 + dy**2) / (2 * radius**2))
folder = Path(__file__).parent / "pictures"
folder.mkdir(exist_ok=True)
for k in range(COUNT):
    moved = numpy.roll(field, (-3 * k, 4 * k), axis=(0, 1))
    grey = numpy.clip(120 + moved, 0, 255).astype(numpy.uint8)
    Image.fromarray(grey).save(folder / f"{k:02}.jpg", quality=80)
