"""Writes JPEG, PNG and WebP of all orientations, and of pixels that are not square, into a
folder, and what Pillow shows of each: NAME.json has the orientation, the aspect, and the
width and the pixels of the upright picture."""
import json, pathlib, sys

import numpy as np
from PIL import Image, ImageOps

out = pathlib.Path(sys.argv[1])
y, x = np.mgrid[0:21, 0:34]
picture = Image.fromarray(np.round(127 + 100 * np.sin(x / 9) * np.cos(y / 5 + x / 20)).astype("u1"))


def keep(path, orientation, aspect):
    m = ImageOps.exif_transpose(Image.open(path)).convert("L")
    path.with_name(path.name + ".json").write_text(json.dumps({"orientation": orientation, "aspect": aspect, "width": m.width, "pixels": np.asarray(m).ravel().tolist()}))


for orientation in range(1, 9):
    exif = Image.Exif()
    exif[274] = orientation
    for ext, options in [("jpg", {"quality": 95}), ("png", {}), ("webp", {"lossless": True})]:
        path = out / f"{orientation}.{ext}"
        (picture.convert("RGB") if ext == "webp" else picture).save(path, exif=exif, **options)
        keep(path, orientation, 0)
for ext in ("jpg", "png"):
    path = out / f"high.{ext}"
    picture.save(path, dpi=(204, 98))
    keep(path, 0, 204 / 98)
