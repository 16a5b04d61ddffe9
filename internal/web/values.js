// Pixel values, and drawing them over an image.

// Colours from the lowest value to the highest, dark to light, those of viridis
// (van der Walt and Smith 2015). style.css has the same colours for the legend.
const ramp = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

// floats reads the values of a TIFF from the server: float32, little endian,
// at its end.
export function floats(bytes, count) {
  const view = new DataView(bytes.buffer, bytes.byteLength - 4 * count);
  return Float32Array.from({ length: count }, (_, i) => view.getFloat32(4 * i, true));
}

// composeValues returns the image with its values drawn over it, an ImageData of the
// image's size, at an opacity of 0 to 1. range is {min, max}; a value that is not
// finite is not drawn.
export function composeValues(image, values, range, opacity) {
  const out = new ImageData(new Uint8ClampedArray(image.data), image.width, image.height);
  const span = range.max - range.min;
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) {
      continue;
    }
    const place = span > 0 ? (values[i] - range.min) / span * (ramp.length - 1) : 0;
    const low = Math.min(Math.floor(place), ramp.length - 2);
    for (let c = 0; c < 3; c++) {
      const color = ramp[low][c] + (ramp[low + 1][c] - ramp[low][c]) * (place - low);
      out.data[4 * i + c] = out.data[4 * i + c] * (1 - opacity) + color * opacity;
    }
  }
  return out;
}
