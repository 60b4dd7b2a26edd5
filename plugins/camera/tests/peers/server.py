"""An MJPEG server of other people's parts: the stream by PyPI py-mjpeg, HTTP by Flask, pictures by Pillow.

server.py PORT grey                 eight greys in turn, 40 pictures a second
server.py PORT moving DX DY SIZE    a pattern that moves by DX, DY pixels from picture to picture
"""
import io
import itertools
import logging
import sys
import time

import flask
import numpy
from mjpeg.server import MJPEGResponse
from PIL import Image, ImageFilter

port, mode = int(sys.argv[1]), sys.argv[2]


def jpeg(image, quality=95):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def greys():
    for k in itertools.count():
        yield jpeg(Image.new("RGB", (160, 120), (k % 8 * 32,) * 3))


def moving():
    dx, dy, width = (int(a) for a in sys.argv[3:6])
    height = width * 3 // 4
    random = numpy.random.default_rng(1)
    side = width + 40 * max(abs(dx), abs(dy))
    noise = Image.fromarray(random.integers(0, 256, (side, side), dtype=numpy.uint8))
    # Details of several sizes, as in a picture of a room.
    fine = numpy.asarray(noise.filter(ImageFilter.GaussianBlur(2)), dtype=float)
    coarse = numpy.asarray(noise.filter(ImageFilter.GaussianBlur(12)), dtype=float)
    pattern = 128 + 2 * (fine - fine.mean()) + 8 * (coarse - coarse.mean())
    canvas = Image.fromarray(numpy.clip(pattern, 0, 255).astype(numpy.uint8))
    steps = 40
    for k in itertools.count():
        # There and back: the window moves against the content.
        n = k % (2 * steps)
        n = n if n < steps else 2 * steps - n
        left = (side - width) // 2 - dx * (n - steps // 2)
        top = (side - height) // 2 - dy * (n - steps // 2)
        yield jpeg(canvas.crop((left, top, left + width, top + height)))


def paced(pictures):
    for picture in pictures:
        time.sleep(0.025)
        yield picture


app = flask.Flask("camera")
logging.getLogger("werkzeug").disabled = True


@app.route("/stream.mjpg")
def stream():
    return MJPEGResponse(paced({"grey": greys, "moving": moving}[mode]()))


app.run("127.0.0.1", port, threaded=True)
