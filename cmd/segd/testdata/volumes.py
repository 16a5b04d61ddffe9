"""Reads the volumes and the segmentation of a scan with other programs and compares each
voxel with the masks of its planes. usage: volumes.py SPEC

SPEC is a JSON file: files (nifti, nrrd, mha, and seg or none), and planes, each with its
mask (a PNG), its source (SOP instance UID, and frame number or 0) and its origin, right
and down: the centre of the first pixel and the ways to the next one along a row and a
column, in mm, left, posterior and superior rising. Prints nothing where all agree."""
import json
import sys

import nibabel
import nrrd
import numpy as np
import SimpleITK as sitk
from PIL import Image

spec = json.load(open(sys.argv[1]))
planes = [(p, np.asarray(Image.open(p['mask']))) for p in spec['planes']]


def compare(name, voxels, affine):
    """voxels[i, j, k] or [i, j, k, t], affine in LPS."""
    marked = 0
    inverse = np.linalg.inv(affine)
    if voxels.ndim == 3:
        voxels = voxels[..., None]
    seen = {}
    for p, mask in planes:
        key = tuple(p['origin'])
        time = seen[key] = seen.get(key, -1) + 1
        y, x = np.nonzero(mask >= 0)
        world = np.array(p['origin'])[:, None] + np.outer(p['right'], x) + np.outer(p['down'], y)
        at = (inverse @ np.vstack([world, np.ones(len(x))]))[:3]
        index = np.rint(at).astype(int)
        if np.abs(at - index).max() > 0.02:
            print(name, 'voxels lie', np.abs(at - index).max(), 'of a voxel beside their pixels')
            return
        if (index < 0).any() or (index.T >= voxels.shape[:3]).any():
            print(name, 'a pixel lies outside')
            return
        got = voxels[index[0], index[1], index[2], time]
        if (got != mask[y, x]).any():
            print(name, 'differs in', (got != mask[y, x]).sum(), 'voxels of a plane')
        marked += (mask > 0).sum()
    if (voxels > 0).sum() != marked or marked == 0:
        print(name, (voxels > 0).sum(), 'voxels are marked, want', marked)


def itk(path):
    img = sitk.ReadImage(path)
    d = img.GetDimension()
    a = np.eye(4)
    a[:3, :3] = np.array(img.GetDirection()).reshape(d, d)[:3, :3] * np.array(img.GetSpacing())[None, :3]
    a[:3, 3] = img.GetOrigin()[:3]
    v = sitk.GetArrayFromImage(img)
    if img.GetNumberOfComponentsPerPixel() > 1:  # the times
        return v.transpose(2, 1, 0, 3), a
    return v.transpose(range(v.ndim)[::-1]), a


flip = np.diag([-1.0, -1, 1, 1])
files = spec['files']
n = nibabel.load(files['nifti'])
compare('nibabel', np.asarray(n.dataobj), flip @ n.affine)
compare('SimpleITK nifti', *itk(files['nifti']))
compare('SimpleITK mha', *itk(files['mha']))
compare('SimpleITK nrrd', *itk(files['nrrd']))
v, h = nrrd.read(files['nrrd'])
a = np.eye(4)
a[:3, :3], a[:3, 3] = np.array(h['space directions'])[:3].T, h['space origin']
assert h['space'] == 'left-posterior-superior'
compare('pynrrd', v, a)

if files.get('seg'):
    import highdicom
    seg = highdicom.seg.segread(files['seg'])
    for p, mask in planes:
        if p['frame']:
            got = seg.get_pixels_by_source_frame(p['source'], [p['frame']], combine_segments=True, skip_overlap_checks=True, ignore_spatial_locations=True)
        else:
            got = seg.get_pixels_by_source_instance([p['source']], combine_segments=True, skip_overlap_checks=True, ignore_spatial_locations=True)
        if (got[0] != mask).any():
            print('highdicom', 'differs in a plane')
    if spec['volume']:
        vol = seg.get_volume(combine_segments=True)
        compare('highdicom volume', vol.array.transpose(2, 1, 0), vol.affine[:, [2, 1, 0, 3]])
