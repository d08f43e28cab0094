// Numbers as text, the same strings as the engine's text report (its rules: 1024 units, one decimal, half up).

const UNITS = ["KiB", "MiB", "GiB", "TiB"] as const;
const MINUS = "\u2212";

function magnitude(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let tenths = 0;
  for (const [index, unit] of UNITS.entries()) {
    // Dividing by a power of two is exact, so this rounds as whole numbers would.
    tenths = Math.floor((bytes * 10) / 1024 ** (index + 1) + 0.5);
    if (tenths < 10240 || unit === "TiB") return `${Math.floor(tenths / 10)}.${tenths % 10} ${unit}`;
  }
  return "";
}

export function size(bytes: number): string {
  return bytes < 0 ? MINUS + magnitude(-bytes) : magnitude(bytes);
}

export function count(value: number): string {
  const digits = String(Math.abs(value)).replace(/\B(?=(\d{3})+$)/g, ",");
  return value < 0 ? MINUS + digits : digits;
}

/** A change: its sign is always there, and no change is "±0". */
export function signed(value: number, text: (value: number) => string): string {
  if (value === 0) return "±0";
  return value > 0 ? `+${text(value)}` : text(value);
}

export function percent(part: number, whole: number): string {
  if (whole === 0) return "";
  const share = (100 * part) / whole;
  if (part !== 0 && Math.abs(share) < 0.1) return share < 0 ? `> ${MINUS}0.1 %` : "< 0.1 %";
  const text = (Math.floor(Math.abs(share) * 10 + 0.5) / 10).toFixed(1);
  return `${share < 0 ? MINUS : ""}${text} %`;
}

export function duration(ns: number): string {
  if (ns < 1000) return `${ns} ns`;
  if (ns < 1e6) return `${(ns / 1e3).toFixed(1)} µs`;
  if (ns < 1e9) return `${(ns / 1e6).toFixed(1)} ms`;
  return `${(ns / 1e9).toFixed(2)} s`;
}
