// How fast addresses are answered, and what the machine does with the same bytes.

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { ask, processorTime, run } from './programs.mjs';
import { CHECKED, CONNECTIONS, ENOUGH, FAST, GZIP, LEAST, folder, here, median, peers, seconds } from './setting.mjs';

let loads = 0;

/** What wrk finds when it asks for addresses of one server, each once; where fewer than `least` are answered, in twice the time. */
export const load = async (addresses, connections, duration, { gzip = false, least = LEAST } = {}) => {
  // Several may go on at the same time.
  const file = join(folder, `addresses-${(loads += 1)}`);
  const { origin } = new URL(addresses[0]);
  writeFileSync(file, addresses.map((one) => `${one.slice(origin.length)}\n`).join(''));
  const header = gzip ? ['--header', 'Accept-Encoding: gzip'] : [];
  const args = ['--threads', '1', '--connections', connections, '--duration', `${Math.ceil(duration)}s`, '--timeout', '120s'];
  const text = await run('wrk', [...args, ...header, '--script', join(here, 'walk.lua'), origin, '--', file].map(String));
  const result = JSON.parse(text.match(/^result (.*)$/m)[1]);
  if (result.errors > 0) throw new Error(`${addresses[0]} failed under load:\n${text}`);
  rmSync(file);
  if (result.requests < least) return load(addresses, connections, 2 * duration, { gzip, least });
  return { ...result, rate: result.requests / result.seconds };
};

/** One connection, then sixteen, with different addresses; those of the first answers tell how long it takes. */
export const measure = async (addresses, program, gzip) => {
  const first = [];
  for (const one of addresses.slice(0, CHECKED)) first.push((await ask(one, { headers: gzip ? GZIP : {} })).milliseconds);
  const alone = median(first);
  const duration = alone > FAST ? 4 * seconds : Math.min(4 * seconds, Math.max(seconds, (1.5 * ENOUGH * alone) / 1000));
  const rest = addresses.slice(CHECKED);
  const half = Math.ceil(rest.length / 2);
  const results = [];
  for (const [part, connections] of [
    [rest.slice(0, half), 1],
    [rest.slice(half), CONNECTIONS],
  ]) {
    const before = processorTime(program);
    const result = await load(part.length > 0 ? part : addresses, connections, duration, { gzip });
    results.push({ ...result, processor: (processorTime(program) - before) / result.requests });
  }
  return { one: results[0], sixteen: results[1] };
};

export const ofBytes = async (name, body) => {
  const file = join(folder, name);
  writeFileSync(file, body);
  const { memcpy, zlib, version } = JSON.parse(
    await run(join(peers, 'python/bin/python'), [join(here, 'files.py'), 'bytes', file]),
  );
  return { memcpy: memcpy * 1000, zlib: zlib * 1000, version };
};
