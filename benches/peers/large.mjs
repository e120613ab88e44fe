// Large tables, each alone with a bridge of its own: memory, a count, the start of the program, files. One of a million rows, whose files
// are compared with DuckDB's, and with --large one ten times as long.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { FIGURES, seeded } from './kinds.mjs';
import { ofBytes } from './load.mjs';
import { ask, askUntilRead, ready, resident, run, stop } from './programs.mjs';
import { detailed, startBridge, startSimulator } from './servers.mjs';
import { LARGE_TABLE, LEAST, address, folder, here, largePort, local, median, peers, repeat, seconds, tell, upstreamPort } from './setting.mjs';
import { limit, milliseconds, number, times } from './table.mjs';

const SET = `${local(largePort)}/odata/jobindsats/${LARGE_TABLE}/Data`;
const FILE = `${local(largePort)}/export/${LARGE_TABLE}/Data`;
// What a table of ten million rows is read with; all else is as it is by default.
const LONG = { BRIDGE_MAX_ROWS: '20000000', BRIDGE_MEMORY_MB: '4096', BRIDGE_DISK_MB: '8192' };

const firstAnswer = async (program, url) => {
  const until = performance.now() + 60_000;
  for (;;) {
    if (program.hasEnded) throw new Error('the bridge ended by itself');
    if (performance.now() > until) throw new Error(`nothing answers at ${url}`);
    if (await ask(url).catch(() => undefined)) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};

/** Measures a table of at least so many rows; `files` is given its rows. Aims are those of a million rows. */
const measure = async (name, options, least, files, hasAims) => {
  const start = () => startBridge(largePort, name, options);
  const aim = (text, isMet) => (hasAims ? [text, isMet] : ['', undefined]);
  let program = start();
  await ready(program, `${local(largePort)}/readyz`);
  await detailed(largePort);
  const empty = resident(program);
  const random = seeded(96);
  const filter = () => `${FIGURES[0]} gt ${random.below(5000)} and ${FIGURES[1]} lt ${random.below(5000)}`;
  const count = () => askUntilRead(address(SET, '/$count', { $filter: filter() }));
  await count();
  // The allocator returns what reading took within ten seconds; what is left is what the rows take.
  await new Promise((resolve) => setTimeout(resolve, 15_000));
  const above = resident(program) - empty;
  const rows = Number((await ask(`${SET}/$count`)).body);
  if (rows < least) throw new Error(`${rows} rows where at least ${least} are measured`);
  const counts = median((await repeat(seconds, count)).map((answer) => answer.milliseconds));
  const kernels = 'arrow’s kernels, inside the program: see Stages';
  limit(`${rows} rows: count with a filter on two figures`, milliseconds(counts), kernels, '≤ 2 × the kernels', undefined);
  const memory = `memory for ${rows} rows, two of four figures read, above empty`;
  limit(memory, `${number(above)} MB`, `empty ${number(empty)} MB`, ...aim('≤ 60 MB', above <= 60));
  await files(rows);
  await stop(program);
  const begins = [];
  for (let index = 0; index < LEAST; index += 1) {
    const from = performance.now();
    program = start();
    await firstAnswer(program, `${SET}?$top=10&$skip=${index}`);
    begins.push(performance.now() - from);
    await stop(program);
  }
  limit(`start to first answer, folder of ${rows} rows`, milliseconds(median(begins)), '', '≤ 100 ms', median(begins) <= 100);
};

const besideDuckDb = async (rows) => {
  const bodies = {};
  for (const kind of ['csv', 'parquet']) {
    bodies[kind] = (await ask(`${FILE}.${kind}`)).body;
    writeFileSync(join(folder, `bridge.${kind}`), bodies[kind]);
  }
  const names = bodies.csv.subarray(0, 5000).toString().split('\r\n')[0].split(',');
  const random = seeded(95);
  const orders = Array.from({ length: LEAST }, () => random.shuffled(names));
  writeFileSync(join(folder, 'orders.json'), JSON.stringify(orders));
  const taken = {};
  for (const kind of ['csv', 'parquet']) {
    const all = [];
    for (const order of orders) {
      all.push((await ask(`${FILE}.${kind}?$select=${encodeURIComponent(order.join(','))}`, { isKept: false })).milliseconds);
    }
    taken[kind] = median(all);
  }
  const { memcpy } = await ofBytes('csv', bodies.csv);
  const peer = JSON.parse(
    await run(join(peers, 'python/bin/python'), [join(here, 'files.py'), 'files', folder, join(folder, 'orders.json')]),
  );
  if (peer.rows !== rows) throw new Error(`${peer.rows} rows in the file and ${rows} in the set`);
  const size = bodies.csv.length / 1e6;
  for (const kind of ['csv', 'parquet']) {
    const copy = peer[kind] * 1000;
    const isCsv = kind === 'csv';
    limit(
      `${rows} rows × ${names.length} columns as ${isCsv ? `CSV (${number(size)} MB)` : 'Parquet'}`,
      isCsv ? `${milliseconds(taken.csv)} (${number((size / taken.csv) * 1000)} MB/s)` : milliseconds(taken.parquet),
      `DuckDB ${peer.version} ${milliseconds(copy)}${isCsv ? `, memcpy ${milliseconds(memcpy)}` : ''}`,
      `${isCsv ? '≤ 5 × memcpy and ' : ''}≤ 2 × DuckDB; here ${isCsv ? `${times(taken.csv / memcpy)} and ` : ''}${times(taken[kind] / copy)}`,
      taken[kind] <= 2 * copy && (!isCsv || taken.csv <= 5 * memcpy),
    );
  }
};

/** Each file once, as there is nothing beside it. */
const alone = async (rows) => {
  for (const kind of ['csv', 'parquet']) {
    const { milliseconds: taken, bytes } = await ask(`${FILE}.${kind}`, { isKept: false });
    const size = bytes / 1e6;
    limit(`${rows} rows as ${kind} (${number(size)} MB)`, `${milliseconds(taken)} (${number((size / taken) * 1000)} MB/s)`, '', '', undefined);
  }
};

export const largeTable = () => measure('large', {}, 900_000, besideDuckDb, true);

/** The same table with 107 years more, ten times as many rows, with the settings that it needs. */
export const longTable = async () => {
  const simulator = await startSimulator(upstreamPort, ['--longer', `${LARGE_TABLE}=107`]);
  tell(`the long table, with ${Object.entries(LONG).map((one) => one.join('=')).join(' ')}`);
  await measure('long', { upstream: upstreamPort, settings: LONG }, 9_000_000, alone, false);
  await stop(simulator);
};
