"""Writes pictures into a folder, and prints luminance and motion energy of each as Pillow and NumPy have them.

pictures.py FOLDER
"""
import json
import sys
from pathlib import Path

import numpy
from PIL import Image, ImageFilter

random = numpy.random.default_rng(7)
before = None
for k in range(12):
    pixels = random.integers(0, 256, (120, 160, 3), dtype=numpy.uint8)
    image = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(1 + k % 3))
    image = Image.eval(image, lambda v: min(255, v * (60 + 10 * k) // 100))
    mode, kind = [("RGB", "jpg"), ("L", "jpg"), ("RGB", "png"), ("RGBA", "png"), ("L", "png"), ("P", "png")][k % 6]
    path = Path(sys.argv[1], f"{k:03}.{kind}")
    options = dict(quality=92, progressive=k >= 6) if kind == "jpg" else {}
    image.convert(mode).save(path, **options)
    luma = numpy.asarray(Image.open(path).convert("RGB").convert("L"), dtype=float) / 255
    energy = None if before is None else ((luma - before) ** 2).mean()
    before = luma
    print(json.dumps([luma.mean(), energy]))
