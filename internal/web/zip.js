// Reading the server's zip archives: no encryption, no ZIP64.

// unzip returns the files of a zip by name, each a Uint8Array that owns its
// buffer. APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
export async function unzip(buffer) {
  const view = new DataView(buffer);
  const end = buffer.byteLength - 22; // the end record; the server adds no comment
  if (end < 0 || view.getUint32(end, true) !== 0x06054b50) {
    throw new Error("the answer is incomplete");
  }
  const files = new Map();
  let at = view.getUint32(end + 16, true);
  for (let n = view.getUint16(end + 10, true); n > 0; n--) {
    const method = view.getUint16(at + 10, true);
    const size = view.getUint32(at + 20, true);
    const nameSize = view.getUint16(at + 28, true);
    const name = new TextDecoder().decode(new Uint8Array(buffer, at + 46, nameSize));
    const head = view.getUint32(at + 42, true);
    const start = head + 30 + view.getUint16(head + 26, true) + view.getUint16(head + 28, true);
    const stored = new Uint8Array(buffer.slice(start, start + size));
    files.set(name, method === 8 ? await inflate(stored) : stored);
    at += 46 + nameSize + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return files;
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
