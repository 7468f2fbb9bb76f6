/** Curves as pictures: one panel for each thing that grows, both axes logarithmic. */

/** What one size took. */
export interface CurvePoint {
  readonly size: number;
  readonly values: Readonly<Record<string, number>>;
}

/** How something grows with a size. */
export interface Curve {
  /** Of the file, such as `files`. */
  readonly name: string;
  readonly title: string;
  /** What is counted along the x axis. */
  readonly unit: string;
  readonly points: readonly CurvePoint[];
}

const WIDTH = 230;
const HEIGHT = 150;
const LEFT = 52;
const TOP = 44;
const GAP = 62;

/** An SVG picture. The dashed line through the first point is what grows in proportion. */
export function drawCurve({ title, unit, points }: Curve): string {
  const kinds = [...new Set(points.flatMap(({ values }) => Object.keys(values)))];
  const width = LEFT + kinds.length * (WIDTH + GAP);
  const panels = kinds.map((kind, i) => {
    const rows = points.flatMap(({ size, values }) => {
      const value = values[kind];
      return value === undefined ? [] : [{ x: size, y: Math.max(value, 0.1) }];
    });
    return `<g transform="translate(${LEFT + i * (WIDTH + GAP)},${TOP})">${panel(kind, rows)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${TOP + HEIGHT + 46}"`,
    ` font-family="sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    `<text x="12" y="20" font-size="13" font-weight="bold">${escape(title)}</text>`,
    ...panels,
    `<text x="12" y="${TOP + HEIGHT + 38}" fill="#666">${escape(unit)}; dashed: in proportion</text>`,
    "</svg>\n",
  ].join("\n");
}

function panel(kind: string, rows: readonly { readonly x: number; readonly y: number }[]): string {
  const first = rows[0];
  if (!first) return "";
  const xs = rows.map(({ x }) => x);
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  const ys = rows.map(({ y }) => y);
  const [y0, y1] = [decade(Math.min(...ys), Math.floor), decade(Math.max(...ys), Math.ceil)];
  const px = (x: number) => x1 === x0 ? WIDTH / 2 : along(x, x0, x1) * WIDTH;
  const py = (y: number) => HEIGHT - (y1 === y0 ? 0.5 : along(y, y0, y1)) * HEIGHT;
  const at = ({ x, y }: { readonly x: number; readonly y: number }) =>
    `${px(x).toFixed(1)},${py(y).toFixed(1)}`;
  const out = [
    `<text x="0" y="-8" font-weight="bold">${escape(kind)}</text>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="none" stroke="#999"/>`,
  ];
  for (let y = y0; y <= y1 * 1.001; y *= 10) {
    const line = py(y).toFixed(1);
    out.push(
      `<line x1="0" x2="${WIDTH}" y1="${line}" y2="${line}" stroke="#ddd"/>`,
      `<text x="-6" y="${line}" text-anchor="end" dominant-baseline="middle">${short(y)}</text>`,
    );
  }
  // In proportion, as far as the panel goes.
  const until = Math.min(x1, x0 * (y1 / first.y));
  const end = { x: until, y: first.y * (until / x0) };
  out.push(`<polyline points="${at(first)} ${at(end)}" fill="none" stroke="#999" stroke-dasharray="4 3"/>`);
  out.push(`<polyline points="${rows.map(at).join(" ")}" fill="none" stroke="#1565c0" stroke-width="2"/>`);
  for (const row of rows) {
    const [x = "0", y = "0"] = at(row).split(",");
    const anchor = row.x === x1 && x1 !== x0 ? "end" : "start";
    out.push(
      `<circle cx="${x}" cy="${y}" r="3" fill="#1565c0"/>`,
      `<text x="${x}" y="${(Number(y) - 7).toFixed(1)}" text-anchor="${anchor}">${short(row.y)}</text>`,
      `<text x="${x}" y="${HEIGHT + 14}" text-anchor="middle">${short(row.x)}</text>`,
    );
  }
  return out.join("\n");
}

/** Where a value lies between two others, logarithmically. */
function along(value: number, low: number, high: number): number {
  return (Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low));
}

function decade(value: number, round: (power: number) => number): number {
  return 10 ** round(Math.log10(value));
}

/** A number in few characters: `1.5k`, `200k`, `2G`. */
function short(value: number): string {
  for (const [limit, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]] as const) {
    if (value >= limit) return `${Number((value / limit).toPrecision(3))}${unit}`;
  }
  return String(Number(value.toPrecision(2)));
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
