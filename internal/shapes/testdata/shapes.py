"""Writes files of shapes into a folder: NAME.json, .geojson, .roi or .zip, and NAME.raw,
the mask that the program of the format draws, row by row, after NAME.size (width and
height). COCO is drawn by pycocotools, LabelMe by Pillow with the rule of LabelMe's
shape_to_mask, ImageJ and QuPath by their rules, with numpy."""
import base64, io, json, math, pathlib, sys

import numpy as np
import roifile
from PIL import Image, ImageDraw
from pycocotools.coco import COCO
from pycocotools import mask as coco_mask

out = pathlib.Path(sys.argv[1])
rng = np.random.default_rng(15)
W, H = 61, 47


def keep(name, mask):
    stem = out / name
    stem.with_suffix(".raw").write_bytes(np.asarray(mask, "u1").tobytes())
    stem.with_suffix(".size").write_text(f"{mask.shape[1]} {mask.shape[0]}")


def free(n, scale=1.2):
    p = rng.random((n, 2)) * [W * scale, H * scale] - [W * (scale - 1) / 2, H * (scale - 1) / 2]
    return [[float(x), float(y)] for x, y in p]


def star(n, whole=False):
    c = rng.random(2) * [W, H]
    r = rng.random(n) * 18 + 2
    a = np.sort(rng.random(n) * 2 * math.pi)
    p = np.stack([c[0] + r * np.cos(a), c[1] + r * np.sin(a)], 1)
    return [[float(x), float(y)] for x, y in (np.round(p) if whole else p)]


def some():
    """A shape of any kind."""
    k = rng.integers(4)
    if k == 0:
        return free(int(rng.integers(3, 9)))
    if k == 1:
        return [[round(x), round(y)] for x, y in free(int(rng.integers(3, 9)))]
    return star(int(rng.integers(3, 30)), k == 2)


def blobs():
    m = rng.random((H, W)) < 0.03
    for _ in range(3):
        m = m | np.roll(m, 1, 0) | np.roll(m, 1, 1)
    return m


def edges(mask):
    """Rings along the edges of pixels, by walking them."""
    m = np.pad(mask, 1).astype(int)
    after = {}
    for y, x in zip(*np.nonzero(m)):
        for dy, dx, a, b in [(-1, 0, (0, 0), (1, 0)), (0, 1, (1, 0), (1, 1)), (1, 0, (1, 1), (0, 1)), (0, -1, (0, 1), (0, 0))]:
            if not m[y + dy, x + dx]:
                after.setdefault((x - 1 + a[0], y - 1 + a[1]), []).append((x - 1 + b[0], y - 1 + b[1]))
    rings = []
    while after:
        start = p = next(iter(after))
        ring = []
        while True:
            ring.append([int(p[0]), int(p[1])])
            q = after[p].pop()
            if not after[p]:
                del after[p]
            p = q
            if p == start:
                break
        rings.append(ring)
    return rings


def even_odd(rings, above=False):
    """Rule E; centres on the outline are out at the left and top, as in ImageJ."""
    m = np.zeros((H, W), int)
    for ring in rings:
        for (ax, ay), (bx, by) in zip(ring, ring[1:] + ring[:1]):
            if ay > by:
                ax, ay, bx, by = bx, by, ax, ay
            for y in range(H):
                c = y + 0.5
                if ay < c <= by:
                    m[y] += np.arange(W) + 0.5 > ax + (c - ay) * (bx - ax) / (by - ay)
    return m % 2 == 1


# COCO
for i in range(40):
    name = f"coco{i}"
    n = int(rng.integers(1, 4))
    polygons = [some() for _ in range(n)]
    segmentation = [[float(v) for p in s for v in p] for s in polygons]
    if i % 8 == 5:
        m = np.asfortranarray(blobs(), "u1")
        segmentation = coco_mask.encode(m)
        segmentation = {"size": segmentation["size"], "counts": segmentation["counts"].decode()}
    if i % 8 == 6:
        flat = blobs().flatten("F").astype(int)
        change = np.flatnonzero(np.diff(np.concatenate([[0], flat, [2]])))
        segmentation = {"size": [H, W], "counts": np.diff(np.concatenate([[0], change])).tolist()}
    doc = {
        "images": [{"id": 7, "file_name": "other.png", "width": 3, "height": 3}, {"id": 9, "file_name": name + ".png", "width": W, "height": H}],
        "categories": [{"id": 3, "name": "cell"}],
        "annotations": [{"id": 1, "image_id": 9, "category_id": 3, "iscrowd": int(isinstance(segmentation, dict)), "segmentation": segmentation}],
    }
    (out / (name + ".json")).write_text(json.dumps(doc))
    c = COCO.__new__(COCO)
    c.dataset, c.anns, c.imgs = doc, {}, {}
    c.createIndex()
    keep(name, c.annToMask(c.anns[1]))

# LabelMe
for i in range(60):
    name = f"labelme{i}"
    kind = ["polygon", "polygon", "polygon", "rectangle", "circle", "mask"][i % 6]
    picture = Image.new("L", (W, H))
    draw = ImageDraw.Draw(picture)
    shape = {"label": "cell", "shape_type": kind, "flags": {}, "group_id": None}
    if kind == "polygon":
        p = some()
        draw.polygon([tuple(q) for q in p], outline=1, fill=1)
    elif kind == "rectangle":
        p = np.sort(np.array(free(2)), 0).tolist()
        draw.rectangle([tuple(q) for q in p], outline=1, fill=1)
    elif kind == "circle":
        p = [free(1)[0], free(1)[0]]
        r = math.hypot(p[0][0] - p[1][0], p[0][1] - p[1][1])
        draw.ellipse([p[0][0] - r, p[0][1] - r, p[0][0] + r, p[0][1] + r], outline=1, fill=1)
    else:
        m = (rng.random((9, 14)) < 0.5).astype("u1")
        b = io.BytesIO()
        Image.fromarray(m * (255 if i % 4 else 1)).save(b, "PNG")
        shape["mask"] = base64.b64encode(b.getvalue()).decode()
        p = [[5.0, 6.0], [18.0, 14.0]]
        picture.paste(Image.fromarray(m), (5, 6))
    shape["points"] = p
    (out / (name + ".json")).write_text(json.dumps({"version": "5.5.0", "flags": {}, "shapes": [shape], "imagePath": name + ".png", "imageData": None, "imageHeight": H, "imageWidth": W}))
    keep(name, np.asarray(picture) != 0)

# QuPath: polygons with holes, several polygons, ellipses
for i in range(24):
    name = f"qupath{i}"
    closed = lambda r: r + r[:1]
    geometry = {"plane": {"c": -1, "z": 0, "t": 0}}
    if i % 4 == 0:
        m = blobs()
        geometry |= {"type": "MultiPolygon", "coordinates": [[closed(r) for r in edges(m)]]}
    elif i % 4 == 1:
        shell, hole = star(20), star(9)
        m = even_odd([shell, hole])
        geometry |= {"type": "Polygon", "coordinates": [closed(shell), closed(hole)]}
    elif i % 4 == 2:
        a, b = star(12), star(15)
        m = even_odd([a]) | even_odd([b])
        geometry |= {"type": "MultiPolygon", "coordinates": [[closed(a)], [closed(b)]]}
    else:
        cx, cy, rx, ry = rng.random(4) * [W, H, 20, 15] + [0, 0, 2, 2]
        y, x = np.mgrid[0:H, 0:W] + 0.5
        m = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1
        p = [[cx + rx * math.cos(k * math.pi / 16), cy + ry * math.sin(k * math.pi / 16)] for k in range(32)]
        geometry |= {"type": "Polygon", "coordinates": [closed(p)], "isEllipse": True}
    feature = {"type": "Feature", "id": "0", "geometry": geometry, "properties": {"objectType": "annotation", "classification": {"name": "cell", "color": [1, 2, 3]}}}
    doc = [feature] if i % 3 == 0 else {"type": "FeatureCollection", "features": [feature]}
    (out / (name + ".geojson")).write_text(json.dumps(doc))
    keep(name, m)

# ImageJ
for i in range(40):
    name = f"imagej{i}"
    kind = i % 8
    many = [name]
    if kind < 2:
        p = star(25, kind == 0)
        rois, m = [roifile.ImagejRoi.frompoints(np.array(p), name="cell")], None
        q = rois[0].coordinates()
        m = even_odd([q.tolist()])
    elif kind == 2:
        r = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.RECT, top=4, left=7, bottom=20, right=33, name="cell-1")
        rois, m = [r], np.zeros((H, W), bool)
        m[4:20, 7:33] = True
    elif kind == 3:
        t, l, h, w = (int(v) for v in rng.integers(1, 25, 4))
        r = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.OVAL, top=t, left=l, bottom=t + h, right=l + w, name="cell 12")
        y, x = np.mgrid[0:H, 0:W]
        a, b = w / 2, h / 2
        rois, m = [r], (x - l - a + 0.5) ** 2 / a**2 + (y - t - b + 0.5) ** 2 / b**2 <= 1
    elif kind == 4:
        m = blobs()
        numbers = []
        for ring in edges(m):
            numbers += [0.0, *map(float, ring[0])]
            for q in ring[1:]:
                numbers += [1.0, *map(float, q)]
            numbers += [4.0]
        r = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.RECT, top=0, left=0, bottom=H, right=W, name="cell")
        r.multi_coordinates, r.shape_roi_size = np.array(numbers, "f4"), len(numbers)
        rois = [r]
    elif kind == 5:
        t = star(12, True)
        r = roifile.ImagejRoi.frompoints(np.array(t), name="cell")
        r.roitype = roifile.ROI_TYPE.TRACED
        rois, m = [r], even_odd([r.coordinates().tolist()])
    else:
        ps = [star(14, kind == 6) for _ in range(4)]
        rois = [roifile.ImagejRoi.frompoints(np.array(p), name=f"cell_{k}", position=0 if kind == 6 else None) for k, p in enumerate(ps)]
        m = np.zeros((H, W), bool)
        for r in rois:
            m |= even_odd([r.coordinates().tolist()])
    if len(rois) == 1:
        rois[0].tofile(out / (name + ".roi"))
    else:
        roifile.roiwrite(out / (name + ".zip"), rois)
    keep(name, m)
