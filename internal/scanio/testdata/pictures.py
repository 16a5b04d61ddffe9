"""Writes pictures of many formats into a folder, and what Pillow and imagecodecs read
of each: NAME.json has the shape (frames, height, width, channels), NAME.raw the values as
float32, little endian."""
import gzip, io, json, pathlib, sys

import imagecodecs
import numpy as np
from PIL import Image

out = pathlib.Path(sys.argv[1])
rng = np.random.default_rng(3)
tolerance = {}


def scene(h, w, channels, high):
    y, x = np.mgrid[0:h, 0:w]
    a = np.stack([(np.sin(x / (5 + 3 * c)) * np.cos(y / (7 - c)) + 1) / 2 for c in range(channels)], -1)
    a[h // 4 : h // 2, w // 3 : w // 2] = rng.random((h // 2 - h // 4, w // 2 - w // 3, channels)) > 0.5
    return np.round(a * high).astype("u1" if high < 256 else "u2")


def keep(name, data, pixels, within=0):
    pixels = np.asarray(pixels)
    if pixels.ndim == 2:
        pixels = pixels[None, :, :, None]
    if pixels.ndim == 3:
        pixels = pixels[None]
    (out / name).write_bytes(data)
    (out / (name + ".raw")).write_bytes(pixels.astype("<f4").tobytes())
    (out / (name + ".json")).write_text(json.dumps({"shape": pixels.shape, "within": within}))


def pillow(image, format, **options):
    b = io.BytesIO()
    image.save(b, format, **options)
    return b.getvalue()


def opened(data, mode=None):
    m = Image.open(io.BytesIO(data))
    return np.asarray(m.convert(mode) if mode else m)


for h, w in [(37, 53), (40, 64), (1, 1), (5, 4), (16, 17)]:
    size = f"{w}x{h}"
    grey, rgb = Image.fromarray(scene(h, w, 1, 255)[..., 0]), Image.fromarray(scene(h, w, 3, 255))
    flat = Image.fromarray(np.repeat(scene(h, w, 1, 255), 3, -1))
    palette = rgb.quantize(17)
    for name, m in [("grey", grey), ("rgb", rgb), ("palette", palette), ("bits", grey.convert("1"))]:
        want = "L" if m.mode in "1L" else "RGB"
        if m.mode == "P" and (h, w) == (1, 1):
            continue
        keep(f"{name}-{size}.bmp", pillow(m, "BMP"), opened(pillow(m, "BMP"), want))
        if m.mode != "RGB":
            keep(f"{name}-{size}.gif", pillow(m, "GIF"), opened(pillow(m, "GIF"), want))
        if m.mode != "P":
            d = pillow(m, "PPM")
            keep(f"{name}-{size}.pnm", d, opened(d, want))
            for raw in ("jp2", "j2k"):
                if m.mode == "1":
                    continue
                d = imagecodecs.jpeg2k_encode(np.asarray(m), level=0, codecformat=raw, reversible=True)
                keep(f"{name}-{size}.{raw}", d, imagecodecs.jpeg2k_decode(d))
    keep(f"lossless-{size}.webp", pillow(rgb, "WEBP", lossless=True), np.asarray(rgb))
    d = pillow(rgb, "WEBP", quality=80)
    keep(f"lossy-{size}.webp", d, opened(d, "RGB"))
    d = pillow(rgb.convert("RGBA"), "BMP")
    keep(f"rgba-{size}.bmp", d, np.asarray(rgb))
    wide = scene(h, w, 1, 65535)[..., 0]
    d = b"P5\n# a comment\n%d %d\n65535\n" % (w, h) + wide.astype(">u2").tobytes()
    keep(f"wide-{size}.pgm", d, wide)
    twelve = wide >> 4
    d = b"P5 %d %d 4095\n" % (w, h) + twelve.astype(">u2").tobytes()
    keep(f"twelve-{size}.pgm", d, twelve)
    text = scene(h, w, 3, 255)
    d = b"P3\n%d %d\n255\n" % (w, h) + b" ".join(b"%d" % v for v in text.ravel()) + b"\n"
    if (h, w) != (1, 1):
        keep(f"text-{size}.ppm", d, text)
    floats = (wide / 1000).astype("f4")
    keep(f"float-{size}.pfm", b"Pf\n%d %d\n-1.0\n" % (w, h) + floats[::-1].astype("<f4").tobytes(), floats)
    keep(f"big-{size}.pfm", b"Pf\n%d %d\n1.0\n" % (w, h) + floats[::-1].astype(">f4").tobytes(), floats)
    d = imagecodecs.jpeg2k_encode(wide, level=0, codecformat="jp2", reversible=True)
    keep(f"wide-{size}.jp2", d, wide)
    for sub, quality in [("4:4:4", 95), ("4:2:2", 90), ("4:2:0", 75), ("4:2:0", 95)]:
        d = pillow(rgb, "JPEG", subsampling=sub, quality=quality)
        # The inverse transform may round otherwise than libjpeg's by one step of luma or chroma.
        keep(f"sub{sub.replace(':', '')}-{quality}-{size}.jpg", d, opened(d, "RGB"), 4)

frames = [Image.fromarray(scene(20, 30, 3, 255)).quantize(16) for _ in range(4)]
for disposal in (0, 1, 2, 3):
    d = pillow(frames[0], "GIF", save_all=True, append_images=frames[1:], disposal=disposal, optimize=False)
    m = Image.open(io.BytesIO(d))
    states = []
    for i in range(m.n_frames):
        m.seek(i)
        states.append(np.asarray(m.convert("RGB")))
    keep(f"animated-{disposal}.gif", d, np.stack(states))

for name in ("rgb-53x37.bmp", "lossless-53x37.webp", "wide-53x37.jp2", "animated-1.gif", "grey-53x37.pnm"):
    path = out / (name + ".gz")
    path.write_bytes(gzip.compress((out / name).read_bytes()))
    for ext in (".raw", ".json"):
        (out / (name + ".gz" + ext)).write_bytes((out / (name + ext)).read_bytes())
