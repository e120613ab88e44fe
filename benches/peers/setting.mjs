// What a run is told and what all of it shares: sizes, addresses, the folder that goes when the run ends.

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

export const here = dirname(fileURLToPath(import.meta.url));
const parsed = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '5' },
    markdown: { type: 'string' },
    note: { type: 'string', default: '' },
    plot: { type: 'string' },
    large: { type: 'boolean', default: false },
  },
});
export const options = parsed.values;
export const [bridge] = parsed.positionals;
export const seconds = Number(options.seconds);
export const peers = process.env.PEERS;

// The set that is compared with CAP: 130 periods × 100 areas × 3 × 6, 22 columns with four figures. The one for files has 26.
export const TABLE = 'y35a02';
export const LARGE_TABLE = 'y36a02';
export const CONNECTIONS = 16;
export const FAST = 10;
export const ENOUGH = 1000;
export const LEAST = 5;
export const CHECKED = 5;

export const folder = mkdtempSync(join(tmpdir(), 'peers-'));
const base = 20000 + Math.floor(Math.random() * 10000);
export const [simulatorPort, bridgePort, largePort, capPort, nginxPort, upstreamPort] = Array.from({ length: 6 }, (_, at) => base + at);
export const local = (port) => `http://127.0.0.1:${port}`;
export const ours = `${local(bridgePort)}/odata/jobindsats/${TABLE}`;
export const theirs = `${local(capPort)}/rows`;
export const GZIP = { 'accept-encoding': 'gzip' };

export const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
export const tell = (text) => process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
export const address = (set, path, asked) =>
  `${set}${path}?${Object.entries(asked)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&')}`;

/** Answers of at least five works, and of as many as fit. */
export const repeat = async (longest, work) => {
  const results = [];
  const until = performance.now() + longest * 1000;
  while (results.length < LEAST || performance.now() < until) results.push(await work(results.length));
  return results;
};
