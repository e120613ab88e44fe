// The large table: memory, the start of the program, files.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { SHOWN, seeded } from './kinds.mjs';
import { ofBytes } from './load.mjs';
import { ask, ready, resident, run, stop } from './programs.mjs';
import { startBridge } from './servers.mjs';
import { LARGE_TABLE, LEAST, address, folder, here, largePort, local, median, peers, repeat, seconds } from './setting.mjs';
import { limit, milliseconds, number, times } from './table.mjs';

const detailed = async (port) => {
  let [last, same] = [-1, 0];
  while (same < 10) {
    const count = Number((await ask(`${local(port)}/status?sprog=en`)).body.toString().match(/in detail: (\d+)/)?.[1] ?? 0);
    same = count === last ? same + 1 : 0;
    last = count;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
};

export const largeTable = async () => {
  const set = `${local(largePort)}/odata/jobindsats/${LARGE_TABLE}/Data`;
  let program = startBridge(largePort, 'large');
  await ready(program, `${local(largePort)}/readyz`);
  await detailed(largePort);
  const empty = resident(program);
  const random = seeded(96);
  const figures = SHOWN.slice(-2);
  const count = () =>
    ask(
      address(set, '/$count', { $filter: `${figures[0]} gt ${random.below(5000)} and ${figures[1]} lt ${random.below(5000)}` }),
    );
  await count();
  const above = resident(program) - empty;
  const rows = Number((await ask(`${set}/$count`)).body);
  const counts = median((await repeat(seconds, count)).map((answer) => answer.milliseconds));
  limit(
    `${rows} rows: count with a filter on two figures`,
    milliseconds(counts),
    'arrow’s kernels are not measured',
    '≤ 2 × the kernels',
    undefined,
  );
  limit(
    `memory for ${rows} rows × 4 figures, above empty`,
    `${number(above)} MB`,
    `empty ${number(empty)} MB`,
    '≤ 60 MB',
    above <= 60,
  );
  await files(rows);
  await stop(program);
  const begins = [];
  for (let index = 0; index < LEAST; index += 1) {
    const from = performance.now();
    program = startBridge(largePort, 'large');
    await firstAnswer(program, `${set}?$top=10&$skip=${index}`);
    begins.push(performance.now() - from);
    await stop(program);
  }
  limit(`start to first answer, folder of ${rows} rows`, milliseconds(median(begins)), '', '≤ 100 ms', median(begins) <= 100);
};

const firstAnswer = async (program, url) => {
  const until = performance.now() + 60_000;
  for (;;) {
    if (program.hasEnded) throw new Error('the bridge ended by itself');
    if (performance.now() > until) throw new Error(`nothing answers at ${url}`);
    if (await ask(url).catch(() => undefined)) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};

const files = async (rows) => {
  const file = `${local(largePort)}/export/${LARGE_TABLE}/Data`;
  const bodies = {};
  for (const kind of ['csv', 'parquet']) {
    bodies[kind] = (await ask(`${file}.${kind}`)).body;
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
      all.push((await ask(`${file}.${kind}?$select=${encodeURIComponent(order.join(','))}`, { isKept: false })).milliseconds);
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
