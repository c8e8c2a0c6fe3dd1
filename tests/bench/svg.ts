/** The parts of SVG that the charts are made of, readable on a light and on a dark page. */

/** All text keeps a contrast of 4.5 on its page; a bar has its name and its figure beside it. */
const style = `
    text { font: 13px system-ui, sans-serif; fill: #24292f }
    .title { font-weight: 600; font-size: 15px }
    .small { font-size: 11px; fill: #57606a }
    .end { text-anchor: end }
    .middle { text-anchor: middle }
    .ours { fill: #b3541e; stroke: #b3541e }
    .bare { fill: #57606a; stroke: #57606a }
    .other { fill: #8fa3b8; stroke: #8fa3b8 }
    .second { fill: #1f6feb; stroke: #1f6feb }
    .line { fill: none; stroke-width: 2 }
    .axis { stroke: #d0d7de }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .small { fill: #9aa4af }
      .ours { fill: #f0883e; stroke: #f0883e }
      .bare { fill: #9aa4af; stroke: #9aa4af }
      .other { fill: #57687a; stroke: #57687a }
      .second { fill: #58a6ff; stroke: #58a6ff }
      .line { fill: none }
      .axis { stroke: #30363d }
    }`;

export function svg(
  width: number,
  height: number,
  title: string,
  parts: readonly string[],
): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">
  <title>${escapeText(title)}</title>
  <style>${style}
  </style>
  ${parts.join("\n  ")}
</svg>
`;
}

export function text(x: number, y: number, content: string, className = ""): string {
  const attribute = className === "" ? "" : ` class="${className}"`;
  return `<text x="${round(x)}" y="${round(y)}"${attribute}>${escapeText(content)}</text>`;
}

export function bar(
  x: number,
  y: number,
  width: number,
  height: number,
  className: string,
): string {
  const size = `width="${round(width)}" height="${height}"`;
  return `<rect x="${round(x)}" y="${round(y)}" ${size} rx="2" class="${className}" stroke="none"/>`;
}

export function rule(x1: number, y1: number, x2: number, y2: number): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" class="axis"/>`;
}

export type Point = readonly [x: number, y: number];

/** A line with a dot at each point, so that it can be read where only the dots were measured. */
export function line(points: readonly Point[], className: string): string {
  const list = points.map(([x, y]) => `${round(x)},${round(y)}`).join(" ");
  const dots = points.map(
    ([x, y]) => `<circle cx="${round(x)}" cy="${round(y)}" r="3" class="${className}"/>`,
  );
  return `<polyline points="${list}" class="${className} line"/>${dots.join("")}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeText(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
