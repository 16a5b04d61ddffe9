// Masks, and drawing them over an image.

// decodeMask reads a paletted PNG as class indices, row-major, one a byte. A
// canvas would give the palette's colours instead, and two classes may share
// one. PNG specification, third edition, sections 7 and 9; not interlaced,
// which is what the server writes.
export async function decodeMask(buffer) {
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  const data = [];
  let width = 0, height = 0, depth = 0, colors = [];
  for (let at = 8; at + 12 <= bytes.length;) {
    const size = view.getUint32(at);
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, at + 8 + size);
    if (kind === "IHDR") {
      width = view.getUint32(at + 8);
      height = view.getUint32(at + 12);
      depth = body[8];
      if (body[9] !== 3 || body[12] !== 0) {
        throw new Error("the mask is not a paletted PNG");
      }
    } else if (kind === "PLTE") {
      colors = Array.from({ length: size / 3 }, (_, i) => Array.from(body.subarray(3 * i, 3 * i + 3)));
    } else if (kind === "IDAT") {
      data.push(body);
    }
    at += size + 12;
  }
  const rows = await inflate(data);
  const stride = Math.ceil(width * depth / 8);
  if (rows.length !== height * (stride + 1)) {
    throw new Error("the mask is incomplete");
  }
  const pix = new Uint8Array(width * height);
  let above = new Uint8Array(stride);
  for (let y = 0; y < height; y++) {
    const start = y * (stride + 1);
    const row = rows.subarray(start + 1, start + 1 + stride);
    unfilter(rows[start], row, above);
    const low = (1 << depth) - 1;
    for (let x = 0; x < width; x++) {
      const bit = x * depth;
      pix[y * width + x] = row[bit >> 3] >> (8 - depth - (bit & 7)) & low;
    }
    above = row;
  }
  return { width, height, pix, colors };
}

async function inflate(parts) {
  const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// unfilter turns a filtered row into its bytes, in place; a pixel is at most a
// byte, so the byte to the left is the pixel to the left.
function unfilter(type, row, above) {
  for (let i = 0; i < row.length; i++) {
    const left = i > 0 ? row[i - 1] : 0, up = above[i], corner = i > 0 ? above[i - 1] : 0;
    switch (type) {
      case 1: row[i] += left; break;
      case 2: row[i] += up; break;
      case 3: row[i] += left + up >> 1; break;
      case 4: row[i] += paeth(left, up, corner); break;
    }
  }
}

function paeth(left, up, corner) {
  const l = Math.abs(up - corner), u = Math.abs(left - corner), c = Math.abs(left + up - 2 * corner);
  return l <= u && l <= c ? left : u <= c ? up : corner;
}

// compose returns the image with the mask over it, an ImageData of the image's
// size: each class but background filled with its colour at an opacity of 0 to
// 1 and outlined opaquely, bit for bit like the server's overlay. hidden is the Set
// of classes to leave out.
export function compose(image, mask, opacity, hidden) {
  const out = new ImageData(new Uint8ClampedArray(image.data), image.width, image.height);
  const { width, height, pix, colors } = mask;
  const fill = Math.round(256 * opacity);
  const other = (i, k) => pix[i] !== k;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const k = pix[i];
      if (k === 0 || hidden.has(k)) {
        continue;
      }
      const edge = y === 0 || x === 0 || y === height - 1 || x === width - 1 ||
        other(i - width, k) || other(i + width, k) || other(i - 1, k) || other(i + 1, k);
      const share = edge ? 256 : fill;
      for (let c = 0; c < 3; c++) {
        const at = 4 * i + c;
        out.data[at] = out.data[at] * (256 - share) + colors[k][c] * share + 128 >> 8;
      }
    }
  }
  return out;
}
