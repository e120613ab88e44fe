// Small requests beside large ones: whether those who ask for a few rows notice that others take whole pages and files.

import { FIGURES, SHOWN, seeded } from './kinds.mjs';
import { load } from './load.mjs';
import { ask } from './programs.mjs';
import { TABLE, address, bridgePort, local, median, ours, seconds, tell } from './setting.mjs';
import { limit, milliseconds } from './table.mjs';

const RUNS = 5;
const PAGE_ROWS = 50_000;
const BOUND = { times: 5, milliseconds: 25 };

/** What is asked for: a few rows, a page of all columns, a file. Each address differs, so that nothing of it is ready. */
const kinds = (rows) => {
  const random = seeded(92);
  const [periods, areas] = ['Periode', 'Område'].map((name) => [...new Set(rows.map((row) => row[name]))]);
  const all = Object.keys(rows[0]).filter((name) => !name.startsWith('@'));
  const place = () => `Periode eq '${random.one(periods)}' and Område eq '${random.one(areas).replaceAll("'", "''")}'`;
  return {
    small: () => address(`${ours}/Data`, '', { $select: random.shuffled(SHOWN).join(','), $filter: place() }),
    page: () =>
      address(`${ours}/Data`, '', { $orderby: `${random.one(FIGURES)} desc`, $skip: random.below(PAGE_ROWS), $top: PAGE_ROWS }),
    file: () => address(`${local(bridgePort)}/export/${TABLE}/Data.csv`, '', { $select: random.shuffled(all).join(',') }),
  };
};

/** The p99 of a few rows on a connection, first alone, then while a page and a file are taken again and again. */
export const smallBesideLarge = async (rows) => {
  const make = kinds(rows);
  const addresses = (kind, count) => Array.from({ length: count }, make[kind]);
  for (const kind of Object.keys(make)) await ask(make[kind](), { isKept: false });
  const small = () => load(addresses('small', 20_000), 1, seconds);
  const runs = [];
  for (let run = 0; run < RUNS; run += 1) {
    const idle = (await small()).p99;
    // A second longer, so that they go on until the small ones have ended.
    const large = ['page', 'file'].map((kind) => load(addresses(kind, 1000), 1, seconds + 1, { least: 1 }));
    const busy = (await small()).p99;
    await Promise.all(large);
    runs.push({ idle, busy, allowed: Math.max(BOUND.times * idle, BOUND.milliseconds) });
    tell(`a few rows: p99 ${milliseconds(idle)} alone, ${milliseconds(busy)} beside a page and a file`);
  }
  const middle = (name) => median(runs.map((run) => run[name]));
  limit(
    `p99 of a few rows beside a page of ${PAGE_ROWS} sorted rows and a CSV, median of ${RUNS} runs`,
    milliseconds(middle('busy')),
    `alone ${milliseconds(middle('idle'))}`,
    `≤ ${BOUND.times} × alone or ${BOUND.milliseconds} ms: ${milliseconds(middle('allowed'))}`,
    middle('busy') <= middle('allowed'),
  );
};
