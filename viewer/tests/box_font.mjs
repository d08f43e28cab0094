// A font that is the same on every machine: each letter shows the last eight bits of its code as two by four boxes, so that another
// letter is another picture. What the snapshots are written in; the fonts of a system are none of the page's doing.

const EM = 1000;
const ADVANCE = 600;
const DESCENT = 200;
const GLYPHS = 257; // .notdef, and one for each last byte of a code

const u16 = (...values) => Buffer.concat(values.map((value) => Buffer.from([(value >> 8) & 255, value & 255])));
const u32 = (...values) => Buffer.concat(values.map((value) => u16(Math.floor(value / 65536), value % 65536)));

/** The boxes of a letter: [left, bottom, right, top]. Blanks have none; bold ones touch each other. */
function boxes(code, bold) {
  if (code === 0x20 || code === 0xa0) return [];
  const cells = [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => (code >> bit) & 1);
  return cells.map((bit) => {
    const left = 50 + (bit % 2) * 250;
    const bottom = -100 + Math.floor(bit / 2) * 200;
    return bold ? [left, bottom, left + 250, bottom + 200] : [left, bottom, left + 200, bottom + 150];
  });
}

function glyph(code, bold) {
  const contours = boxes(code, bold);
  if (contours.length === 0) return Buffer.alloc(0);
  const points = contours.flatMap(([left, bottom, right, top]) => [
    [left, bottom],
    [left, top],
    [right, top],
    [right, bottom],
  ]);
  const steps = (axis) => u16(...points.map((point, index) => point[axis] - (index > 0 ? points[index - 1][axis] : 0)));
  const bytes = Buffer.concat([
    u16(contours.length, 0, -DESCENT, ADVANCE, EM - DESCENT),
    u16(...contours.map((_, index) => 4 * index + 3)),
    u16(0), // no instructions
    Buffer.alloc(points.length, 1), // every point is on the curve
    steps(0),
    steps(1),
  ]);
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}

function tables(bold) {
  const glyphs = [glyph(0xff, bold), ...Array.from({ length: 256 }, (_, code) => glyph(code, bold))];
  const offsets = [0];
  for (const { length } of glyphs) offsets.push(offsets[offsets.length - 1] + length);
  // Every 256 letters once more the same glyphs.
  const blocks = Array.from({ length: 256 }, (_, block) => u32(256 * block, 256 * block + 255, 1));
  const name = Buffer.from("Boxes", "utf16le").swap16();
  const names = [1, 2, 3, 4, 6];
  return {
    "OS/2": Buffer.concat([
      u16(4, ADVANCE, bold ? 700 : 400, 5, 0, 650, 600, 0, 75, 650, 600, 0, 350, 50, 250, 0),
      Buffer.alloc(10),
      u32(1, 0, 0, 0),
      Buffer.from("    "),
      u16(bold ? 32 : 64, 0x20, 0xffff, EM - DESCENT, -DESCENT, 0, EM - DESCENT, DESCENT),
      u32(1, 0),
      u16(500, 700, 0, 0x20, 1),
    ]),
    cmap: Buffer.concat([u16(0, 1, 3, 10), u32(12), u16(12, 0), u32(16 + 12 * 256, 0, 256), ...blocks]),
    glyf: Buffer.concat(glyphs),
    head: Buffer.concat([
      u32(0x10000, 0x10000, 0, 0x5f0f3cf5),
      u16(3, EM),
      Buffer.alloc(16),
      u16(0, -DESCENT, ADVANCE, EM - DESCENT, bold ? 1 : 0, 8, 2, 1, 0),
    ]),
    hhea: Buffer.concat([
      u32(0x10000),
      u16(EM - DESCENT, -DESCENT, 0, ADVANCE, 0, 0, ADVANCE, 1, 0, 0, 0, 0, 0, 0, 0, GLYPHS),
    ]),
    hmtx: Buffer.concat(Array.from({ length: GLYPHS }, () => u16(ADVANCE, 0))),
    loca: u32(...offsets),
    maxp: Buffer.concat([u32(0x10000), u16(GLYPHS, 32, 8, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)]),
    name: Buffer.concat([
      u16(0, names.length, 6 + 12 * names.length),
      ...names.map((id) => u16(3, 1, 0x409, id, name.length, 0)),
      name,
    ]),
    post: Buffer.concat([u32(0x30000, 0), u16(-100, 50), u32(1, 0, 0, 0, 0)]),
  };
}

function checksum(bytes) {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 4) sum = (sum + bytes.readUInt32BE(at)) >>> 0;
  return sum;
}

/** The bytes of a TrueType font. */
export function boxFont({ bold = false } = {}) {
  const parts = Object.entries(tables(bold));
  let offset = 12 + 16 * parts.length;
  const records = [];
  const bodies = [];
  for (const [tag, bytes] of parts) {
    const padded = Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
    records.push(Buffer.concat([Buffer.from(tag), u32(checksum(padded), offset, bytes.length)]));
    bodies.push(padded);
    offset += padded.length;
  }
  return Buffer.concat([u32(0x10000), u16(parts.length, 128, 3, 16 * parts.length - 128), ...records, ...bodies]);
}
