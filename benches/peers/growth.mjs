// How the cost of a request grows with rows, columns, conditions, connections, tables and the rows of a table, printed as a table and drawn as a plot:
//   node benches/peers/growth.mjs target/release/jobindsats-bridge --seconds 1 --plot target/growth.svg
// Needs wrk, and a machine that does nothing else; docs/performance.md says how to read the plot.

import { writeFileSync } from 'node:fs';

import { FIGURES, SHOWN, seeded } from './kinds.mjs';
import { load } from './load.mjs';
import { draw } from './plot.mjs';
import { ask, askUntilRead, processorTime, ready, stop, whole } from './programs.mjs';
import { allRows, startBoth, startBridge, startSimulator } from './servers.mjs';
import { CHECKED, TABLE, address, bridgePort, folder, largePort, local, median, options, ours, repeat, seconds, tell, upstreamPort } from './setting.mjs';
import { machine, milliseconds, table, times } from './table.mjs';

const SEED = 94;
const ROWS = [1_000, 2_000, 5_000, 10_000, 20_000, 50_000];
const COLUMNS = [2, 4, 8, 16, 22];
const CONDITIONS = [1, 2, 4, 8, 16];
const CONNECTIONS = [1, 2, 4, 8, 16, 32, 64];
const TABLES = [1, 4, 16, 64];
// With so many years before its first, the table has about 1, 2, 4 and 8 times as many months.
const YEARS = [0, 11, 32, 76];
const MOST_ADDRESSES = 5_000;

/** One after the other: milliseconds of a request, and of the processor. */
const alone = async (program, make) => {
  for (let index = 0; index < CHECKED; index += 1) await ask(make());
  const before = processorTime(program);
  const answers = await repeat(seconds, () => ask(make(), { isKept: false }));
  return { time: median(answers.map((answer) => answer.milliseconds)), processor: (processorTime(program) - before) / answers.length };
};

/** So many at the same time: milliseconds from one answer to the next, and of the processor. */
const together = async (program, make, connections) => {
  const addresses = Array.from({ length: MOST_ADDRESSES }, make);
  const before = processorTime(program);
  const { rate, requests } = await load(addresses, connections, Math.max(2, seconds));
  return { time: 1000 / rate, processor: (processorTime(program) - before) / requests };
};

const overTables = async (program) => {
  const datasets = JSON.parse((await ask(`${local(bridgePort)}/odata/Datasets?$select=Identifier`)).body).value;
  const names = datasets.map(({ Identifier }) => Identifier.toLowerCase());
  if (names.length < TABLES.at(-1)) throw new Error(`${names.length} tables where ${TABLES.at(-1)} are asked by turns`);
  const random = seeded(SEED);
  const points = [];
  for (const count of TABLES) {
    const first = names.slice(0, count);
    const make = (name) => address(`${local(bridgePort)}/odata/jobindsats/${name}/Hovedtal`, '', { $top: 100 + random.below(50) });
    for (const name of first) await ask(make(name));
    points.push({ count, ...(await alone(program, () => make(random.one(first)))) });
  }
  return points;
};

/** A table that has more and more months, each time with a simulator and a bridge of its own; what is asked does not grow. */
const overMonths = async () => {
  const set = `${local(largePort)}/odata/jobindsats/${TABLE}/Data`;
  const random = seeded(SEED);
  const kinds = {
    'rows of the table, of which 1,000 of a period are read': () =>
      address(set, '', { $select: random.shuffled(SHOWN).join(','), $filter: `Periode eq '2025M0${1 + random.below(9)}'`, $top: 1000 - random.below(20) }),
    'rows of the table, which are counted above a bound': () => address(set, '/$count', { $filter: `${random.one(FIGURES)} gt ${random.below(3000)}` }),
  };
  const curves = Object.keys(kinds).map((name) => ({ name, points: [] }));
  for (const years of YEARS) {
    const simulator = await startSimulator(upstreamPort, ['--longer', `${TABLE}=${years}`]);
    const program = startBridge(largePort, `months-${years}`, { upstream: upstreamPort });
    await ready(program, `${local(largePort)}/readyz`);
    for (const make of Object.values(kinds)) await askUntilRead(make());
    const count = Number((await ask(`${set}/$count`)).body);
    for (const { name, points } of curves) points.push({ count, ...(await alone(program, kinds[name])) });
    await stop(program);
    await stop(simulator);
  }
  return curves;
};

const axes = (rows) => {
  const random = seeded(SEED);
  const all = Object.keys(rows[0]).filter((name) => !name.startsWith('@'));
  const periods = [...new Set(rows.map((row) => row.Periode))];
  const set = (asked, path = '') => address(`${ours}/Data`, path, asked);
  const somewhere = (count) => random.below(rows.length - count);
  const condition = () => `${random.one(FIGURES)} ${random.one(['gt', 'lt'])} ${random.below(5000)}`;
  return [
    ['rows of 6 columns', ROWS, (count) => set({ $select: SHOWN.join(','), $skip: somewhere(count), $top: count })],
    [
      'columns of 10,000 rows',
      COLUMNS,
      (count) => set({ $select: random.shuffled(all).slice(0, count).join(','), $skip: somewhere(10_000), $top: 10_000 }),
    ],
    [
      `conditions of a count over ${rows.length} rows`,
      CONDITIONS,
      (count) => set({ $filter: Array.from({ length: count }, condition).join(' or ') }, '/$count'),
    ],
    [
      "connections that read a period's 1,000 rows",
      CONNECTIONS,
      () =>
        set({ $select: random.shuffled(SHOWN).join(','), $filter: `Periode eq '${random.one(periods)}'`, $top: 1000 - random.below(20) }),
      together,
    ],
  ];
};

const main = async () => {
  const program = await startBoth();
  const curves = [];
  for (const [name, counts, make, how = alone] of axes(await allRows(`${ours}/Data`))) {
    const points = [];
    for (const count of counts) points.push({ count, ...(await how(program, () => make(count), count)) });
    curves.push({ name, points });
    tell(name);
  }
  curves.push({ name: 'tables that are asked by turns for 100 rows', points: await overTables(program) });
  await stop(program);
  curves.push(...(await overMonths()));
  const lines = curves.flatMap(({ name, points }) =>
    points.map(({ count, time, processor }) => [
      name,
      count,
      milliseconds(time),
      times(time / points[0].time),
      milliseconds(processor),
      times(processor / points[0].processor),
    ]),
  );
  console.log(`${machine('measurement')}.\n`);
  console.log(table(['what grows', 'number', 'time', 'to the first', 'processor', 'to the first'], lines));
  if (options.plot !== undefined) writeFileSync(options.plot, draw(curves));
};

await whole(main, folder);
