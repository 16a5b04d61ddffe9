"""Writes NRRD, MetaImage, MGH, NIfTI and ANALYZE volumes, in one file and in several, with SimpleITK,
pynrrd and nibabel into a folder, and what SimpleITK and nibabel read of each: NAME.json has the shape (planes, rows, columns, channels) and the
affine in DICOM's axes, NAME.raw the values as float32, little endian."""
import json, math, pathlib, sys

import nibabel
import nrrd
import numpy as np
import SimpleITK as sitk

out = pathlib.Path(sys.argv[1])
rng = np.random.default_rng(5)


def turn(degrees, axis):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    m = np.eye(3)
    i, j = [k for k in range(3) if k != axis]
    m[i, i], m[j, j], m[i, j], m[j, i] = c, c, -s, s
    return m


def expect(path, like=None):
    m = sitk.ReadImage(str(like or path))
    a = sitk.GetArrayFromImage(m)
    channels = m.GetNumberOfComponentsPerPixel()
    affine = None
    # A header without a space, as SimpleITK writes of four axes, says nothing of a patient.
    placed = path.suffix != ".nrrd" or b"\nspace: " in path.read_bytes()[:1000]
    if m.GetDimension() >= 3 and placed:
        d = np.array(m.GetDirection()).reshape(m.GetDimension(), -1)[:3, :3] * np.array(m.GetSpacing())[:3]
        affine = np.column_stack([d, np.array(m.GetOrigin())[:3]]).tolist()
    if channels > 1:
        a = a.reshape((-1,) + a.shape[-3:])
    else:
        a = a.reshape((-1,) + a.shape[-2:] + (1,))
    path.with_name(path.name + ".raw").write_bytes(a.astype("<f4").tobytes())
    path.with_name(path.name + ".json").write_text(json.dumps({"shape": a.shape, "affine": affine}))


def volume(dtype, shape=(4, 5, 7)):
    if np.dtype(dtype).kind == "f":
        return rng.normal(0, 1000, shape).astype(dtype)
    i = np.iinfo(dtype)
    return rng.integers(max(i.min, -(1 << 23)), min(i.max, 1 << 23), shape).astype(dtype)


ways = {"straight": np.eye(3), "oblique": turn(20, 0) @ turn(-35, 2) @ turn(5, 1), "flipped": np.diag([-1.0, -1, 1]), "turned": np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])}
for name, d in ways.items():
    m = sitk.GetImageFromArray(volume("i2"))
    m.SetDirection(d.ravel().tolist())
    m.SetSpacing((0.7, 1.25, 3.5))
    m.SetOrigin((-101.5, 33.25, 7))
    for ext in ("mha", "nrrd"):
        for packed in (False, True):
            path = out / f"{name}-{packed}.{ext}"
            sitk.WriteImage(m, str(path), packed)
            expect(path)
for dtype in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"):
    m = sitk.GetImageFromArray(volume(dtype))
    for ext in ("mha", "nrrd"):
        path = out / f"{dtype}.{ext}"
        sitk.WriteImage(m, str(path), True)
        expect(path)
colour = sitk.GetImageFromArray(volume("u1", (3, 4, 5, 3)), isVector=True)
for ext in ("mha", "nrrd"):
    path = out / f"colour.{ext}"
    sitk.WriteImage(colour, str(path), False)
    expect(path)
    path = out / f"flat.{ext}"
    sitk.WriteImage(sitk.GetImageFromArray(volume("u2", (6, 9))), str(path), False)
    expect(path)
    path = out / f"times.{ext}"
    sitk.WriteImage(sitk.GetImageFromArray(volume("f4", (2, 3, 4, 5)), isVector=False), str(path), False)
    expect(path)

space = {"space": "right-anterior-superior", "space directions": np.diag([0.5, 2.0, 3.0]) @ turn(30, 2), "space origin": [1.0, 2, 3]}
for encoding in ("raw", "gzip", "bzip2", "ascii"):
    for dtype in ("i2", "f4"):
        a = volume(dtype, (7, 5, 4))
        path = out / f"{encoding}-{dtype}.nrrd"
        nrrd.write(str(path), a, {**space, "encoding": encoding, "endian": "little"}, index_order="F")
        like = None
        if encoding == "bzip2":  # which SimpleITK does not read
            like = out / "like.nrrd"
            nrrd.write(str(like), a, {**space, "encoding": "raw", "endian": "little"}, index_order="F")
        expect(path, like)
big = volume("i2", (7, 5, 4))
head = "NRRD0004\n# a comment\ntype: short\ndimension: 3\nsizes: 7 5 4\nencoding: raw\nendian: big\nspace: left-posterior-superior\nspace directions: (2,0,0) (0,2,0) (0,0,4)\nspace origin: (5,6,7)\nkey:=value\n\n"
path = out / "big.nrrd"
path.write_bytes(head.encode() + big.ravel(order="F").astype(">i2").tobytes())
expect(path)

for name, d in ways.items():
    for dtype in ("u1", "i2", "i4", "f4"):
        a = volume(dtype, (7, 5, 4))
        affine = np.eye(4)
        affine[:3, :3] = d @ np.diag([0.7, 1.25, 3.5])
        affine[:3, 3] = -101.5, 33.25, 7
        for ext in ("mgh", "mgz"):
            path = out / f"{name}-{dtype}.{ext}"
            nibabel.save(nibabel.MGHImage(a, affine), str(path))
            m = nibabel.load(path)
            pixels = np.asarray(m.dataobj).transpose(2, 1, 0)[..., None]
            path.with_name(path.name + ".raw").write_bytes(pixels.astype("<f4").tobytes())
            lps = (np.diag([-1.0, -1, 1, 1]) @ m.affine)[:3].tolist()
            path.with_name(path.name + ".json").write_text(json.dumps({"shape": pixels.shape, "affine": lps}))


def write(path, pixels, affine=None):
    path.with_name(path.name + ".raw").write_bytes(pixels.astype("<f4").tobytes())
    path.with_name(path.name + ".json").write_text(json.dumps({"shape": pixels.shape, "affine": affine}))


# Volumes whose header is a file of its own.
for name, d in ways.items():
    m = sitk.GetImageFromArray(volume("i2"))
    m.SetDirection(d.ravel().tolist())
    m.SetSpacing((0.7, 1.25, 3.5))
    m.SetOrigin((-101.5, 33.25, 7))
    for packed in (False, True):
        path = out / f"apart-{name}-{packed}.mhd"
        sitk.WriteImage(m, str(path), packed)
        expect(path)
        path = out / f"apart-{name}-{packed}.nhdr"
        sitk.WriteImage(m, str(path), packed)
        expect(path)
for dtype in ("u1", "u2", "i4", "f4", "f8"):
    m = sitk.GetImageFromArray(volume(dtype))
    for ext in ("mhd", "nhdr"):
        path = out / f"apart-{dtype}.{ext}"
        sitk.WriteImage(m, str(path), False)
        expect(path)
planes = volume("i2")
for i, p in enumerate(planes):
    (out / f"plane{i + 1:03d}.dat").write_bytes(b"head" + p.tobytes())
    (out / f"half{i + 1}.dat").write_bytes(p.tobytes())
names = "\n".join(f"plane{i + 1:03d}.dat" for i in range(len(planes)))
head = "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nHeaderSize = 4\nTransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 1 2 3\nElementSpacing = 2 3 4\nDimSize = 7 5 4\nElementType = MET_SHORT\nElementDataFile = "
whole = sitk.GetImageFromArray(planes)
whole.SetSpacing((2, 3, 4))
whole.SetOrigin((1, 2, 3))
like = out / "like.mha"
sitk.WriteImage(whole, str(like))
for name, files in [("list", "LIST\n" + names + "\n"), ("pattern", "plane%03d.dat 1 4 1\n")]:
    path = out / f"{name}.mhd"
    path.write_text(head + files)
    assert (sitk.GetArrayFromImage(sitk.ReadImage(str(path))) == planes).all(), name
    expect(path, like)
path = out / "last.mhd"
(out / "last.dat").write_bytes(b"x" * 11 + planes.tobytes())
path.write_text(head.replace("HeaderSize = 4", "HeaderSize = -1") + "last.dat\n")
expect(path)
head = "NRRD0005\ntype: short\ndimension: 3\nsizes: 7 5 4\nencoding: raw\nendian: little\nspace: LPS\nspace directions: (2,0,0) (0,3,0) (0,0,4)\nspace origin: (1,2,3)\n"
path = out / "pattern.nhdr"
path.write_text(head + "byte skip: 4\ndata file: plane%03d.dat 1 4 1 2\n\n")
expect(path, like)
path = out / "list.nhdr"
path.write_text(head + "data file: LIST\n" + "\n".join(f"half{i + 1}.dat" for i in range(4)) + "\n")
assert (sitk.GetArrayFromImage(sitk.ReadImage(str(path))) == planes).all()
expect(path, like)
for encoding in ("raw", "gzip", "bzip2", "ascii"):
    a = volume("i2", (7, 5, 4))
    path = out / f"apart-{encoding}.nhdr"
    nrrd.write(str(path), a, {**space, "encoding": encoding, "endian": "little"}, detached_header=True, index_order="F")
    like = out / "like2.nrrd"
    nrrd.write(str(like), a, {**space, "encoding": "raw", "endian": "little"}, index_order="F")
    expect(path, like)
for name, d in ways.items():
    affine = np.eye(4)
    affine[:3, :3] = d @ np.diag([0.7, 1.25, 3.5])
    affine[:3, 3] = -101.5, 33.25, 7
    for dtype in ("u1", "i2", "f4"):
        for kind in (nibabel.Nifti1Pair, nibabel.Nifti2Pair):
            for ext in ("hdr", "hdr.gz"):
                path = out / f"{name}-{dtype}-{kind.__name__}.{ext}"
                m = kind(volume(dtype, (7, 5, 4)), affine)
                m.to_filename(str(path))
                m = nibabel.load(path)
                write(path, np.asarray(m.dataobj).transpose(2, 1, 0)[..., None], (np.diag([-1.0, -1, 1, 1]) @ m.affine)[:3].tolist())
path = out / "mixed.hdr"  # a plain header, packed values
nibabel.Nifti1Pair(volume("i2", (7, 5, 4)), np.eye(4)).to_filename(str(path))
import gzip

m = nibabel.load(path)
write(path, np.asarray(m.dataobj).transpose(2, 1, 0)[..., None])
(out / "mixed.img.gz").write_bytes(gzip.compress((out / "mixed.img").read_bytes()) + bytes(700))
(out / "mixed.img").unlink()
for kind in (nibabel.AnalyzeImage, nibabel.Spm99AnalyzeImage, nibabel.Spm2AnalyzeImage):
    for dtype in ("u1", "i2", "f4"):
        for endian in "<>":
            path = out / f"{kind.__name__}-{dtype}-{'be' if endian == '>' else 'le'}.hdr"
            a = volume(dtype, (7, 5, 4))
            header = kind.header_class(endianness=endian)
            header.set_data_dtype(np.dtype(dtype).newbyteorder(endian))
            m = kind(a, None, header)
            m.header.set_zooms((0.7, 1.25, 3.5))
            m.to_filename(str(path))
            # Read as what it was written: of plain ANALYZE nibabel takes the values, SPM scales them.
            write(path, np.asarray(kind.from_filename(str(path)).dataobj).transpose(2, 1, 0)[..., None])

# Files that end in zeros, and files in gzip.
affine = np.diag([-2.0, 2, 3, 1])
path = out / "padded.nii.gz"
m = nibabel.Nifti1Image(volume("i2", (7, 5, 4)), affine)
nibabel.save(m, path)
path.write_bytes(path.read_bytes() + bytes(1000))
m = nibabel.load(path)
write(path, np.asarray(m.dataobj).transpose(2, 1, 0)[..., None], (np.diag([-1.0, -1, 1, 1]) @ m.affine)[:3].tolist())
for name in ("straight-False.mha", "straight-False.nrrd", "big.nrrd"):
    path = out / (name + ".gz")
    path.write_bytes(gzip.compress((out / name).read_bytes()))
    for ext in (".raw", ".json"):
        (out / (name + ".gz" + ext)).write_bytes((out / (name + ext)).read_bytes())
