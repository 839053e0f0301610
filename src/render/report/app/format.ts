// Numbers as people read them, as src/render/units.rs writes them.

function threeDigits(value: number, unit: string): string {
  const decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${value.toFixed(decimals)} ${unit}`;
}

/** A length of time in nanoseconds: `1.24 s`, `312 ms`, `2 min 04 s`. */
export function duration(nanos: number): string {
  if (nanos <= 0) return "0 s";
  if (nanos < 1e3) return `${Math.round(nanos)} ns`;
  if (nanos < 999_500) return threeDigits(nanos / 1e3, "µs");
  if (nanos < 999_500_000) return threeDigits(nanos / 1e6, "ms");
  if (nanos < 59_950_000_000) return threeDigits(nanos / 1e9, "s");
  const two = (n: number) => String(n).padStart(2, "0");
  const seconds = Math.round(nanos / 1e9);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  const minutes = Math.round(nanos / 6e10);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

/** A ratio: `82 %`, `4.1 %`, `<0.1 %`; a dash where it is none. */
export function percent(ratio: number): string {
  const value = ratio * 100;
  if (!Number.isFinite(value)) return "-";
  if (value === 0) return "0 %";
  if (Math.abs(value) < 0.05) return "<0.1 %";
  return `${value.toFixed(Math.abs(value) < 9.95 ? 1 : 0)} %`;
}

/** A part of a whole, in percent. */
export function share(part: number, whole: number): string {
  return percent(whole === 0 ? Number.NaN : part / whole);
}

/** A count with its thousands apart: `16,482`. */
export function count(number: number): string {
  return Math.round(number)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A count and what is counted: `1 process`, `157 processes`. */
export function counted(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** A size in binary units: `12.3 MiB`. */
export function bytes(size: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  let at = 0;
  let value = size;
  while (value >= (at === 0 ? 1024 : 999.5) && at < units.length - 1) {
    value /= 1024;
    at += 1;
  }
  return at === 0 ? `${value} B` : threeDigits(value, units[at] ?? "");
}
