// Curves as SVG: one panel for each, both axes logarithmic, so that cost in proportion to the number is a line of the slope of the dotted one.

const WIDTH = 320;
const HEIGHT = 240;
const MARGIN = { left: 52, right: 14, top: 34, bottom: 34 };
const KINDS = [
  { key: 'time', color: '#0b5cad', dash: '' },
  { key: 'processor', color: '#b3470b', dash: '5 3' },
];

const scale = (values, from, to) => {
  const [low, high] = [Math.log(Math.min(...values)), Math.log(Math.max(...values))];
  return (value) => from + ((Math.log(value) - low) / (high - low || 1)) * (to - from);
};

const ticks = (low, high) => {
  const all = Array.from({ length: 16 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** (power - 6))).flat();
  const inside = all.filter((value) => value >= low && value <= high);
  const step = Math.ceil(inside.length / 6);
  return inside.filter((_, index) => index % step === 0);
};

const text = (x, y, anchor, words) => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${words}</text>`;
const line = (points, color, dash) =>
  `<polyline points="${points.map((point) => point.map((at) => at.toFixed(1)).join(',')).join(' ')}" fill="none" stroke="${color}" stroke-width="1.5" stroke-dasharray="${dash}"/>`;

const panel = ({ name, points }, index) => {
  const counts = points.map(({ count }) => count);
  // A processor is counted in hundredths of a second, so that very little may be none.
  const costs = points.flatMap((point) => KINDS.map(({ key }) => point[key])).filter((cost) => cost > 0);
  const low = Math.min(...costs) / 1.3;
  // At least a decade, so that what hardly grows looks flat.
  const high = Math.max(Math.max(...costs) * 1.3, low * 10);
  const x = scale(counts, MARGIN.left, WIDTH - MARGIN.right);
  const y = scale([low, high], HEIGHT - MARGIN.bottom, MARGIN.top);
  const shown = KINDS.map(({ key, color, dash }) => {
    const drawn = points.filter((point) => point[key] > 0).map((point) => [x(point.count), y(point[key])]);
    const dots = drawn.map(([cx, cy]) => `<circle cx="${cx.toFixed(1)}" cy="${cy.toFixed(1)}" r="2.5" fill="${color}"/>`);
    return line(drawn, color, dash) + dots.join('');
  });
  const grid = ticks(low, high).map((tick) => {
    const across = [MARGIN.left, WIDTH - MARGIN.right].map((at) => [at, y(tick)]);
    return line(across, '#ddd', '') + text(MARGIN.left - 5, y(tick) + 4, 'end', `${tick} ms`);
  });
  const below = counts.map((count) => text(x(count), HEIGHT - MARGIN.bottom + 16, 'middle', count.toLocaleString('en')));
  const end = Math.min(counts.at(-1), (counts[0] * high) / points[0].time);
  const proportional = [counts[0], end].map((count) => [x(count), y((points[0].time * count) / counts[0])]);
  const place = `translate(${(index % 3) * WIDTH} ${Math.floor(index / 3) * HEIGHT})`;
  return `<g transform="${place}">${text(MARGIN.left, 20, 'start', name)}${grid.join('')}${line(proportional, '#888', '1 4')}${shown.join('')}${below.join('')}</g>`;
};

/** A picture of all curves. */
export const draw = (curves) => {
  const height = Math.ceil(curves.length / 3) * HEIGHT + 24;
  const legend = text(MARGIN.left, height - 8, 'start', 'blue: time of a request; brown: of the processor; dotted: in proportion to the number');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${3 * WIDTH} ${height}" font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>${curves.map(panel).join('')}${legend}</svg>\n`;
};
