// How numbers, tables and the machine are written.

import { cpus, loadavg } from 'node:os';

import { seconds, tell } from './setting.mjs';

export const number = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));
export const milliseconds = (value) => `${number(value)} ms`;
export const times = (value) => `${number(value)}×`;
export const verdict = (checks) => {
  const known = checks.filter((check) => check !== undefined);
  if (known.length === 0) return '';
  return known.every(Boolean) ? 'yes' : known.some(Boolean) ? '**in part**' : '**no**';
};
const line = (cells) => `| ${cells.join(' | ')} |`;
export const table = (head, rows) => [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');

/** The load that the machine had before anything was measured. */
const before = loadavg()[0];

/** What was measured on, for how long, and beside what load. */
export const machine = (measurement) =>
  `${cpus().length} × ${cpus()[0].model.trim()}, ${seconds} s for each ${measurement}, load ${before.toFixed(2)} before and ${loadavg()[0].toFixed(2)} after`;

/** Rows of the second table: work, bridge, limit, aim, whether it is met. */
export const limits = [];
export const limit = (work, measured, beside, aim, isMet) => {
  limits.push([work, measured, beside, aim, verdict([isMet])]);
  tell(limits.at(-1).join(' | '));
};

/** What the tables say is not met, in words. */
export const notMet = (rows) => {
  const named = (said) => rows.filter((row) => row.at(-1) === said).map(([work]) => work);
  const [none, part] = [named('**no**'), named('**in part**')];
  return `**Not met:** ${none.join('; ') || 'none'}. **Met in part:** ${part.join('; ') || 'none'}.`;
};
