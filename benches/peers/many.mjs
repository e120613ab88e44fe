// Many tables and many gauges, each with a bridge of its own.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { seeded } from './kinds.mjs';
import { multiply } from './multiplied.mjs';
import { ask, processorTime, ready, resident, stop } from './programs.mjs';
import { detailed, startBridge } from './servers.mjs';
import { address, folder, largePort, local, median, repeat, seconds, simulatorPort, upstreamPort } from './setting.mjs';
import { limit, milliseconds, number } from './table.mjs';

const TABLES = 500;
const GAUGES = 20_000;
// A figure and two changes of every municipality and of the country.
const OF_AN_INDICATOR = 320;
const WORDS = ['sygedagpenge', 'dagpenge køn', 'kontanthjælp alder', 'akasse', 'ledige', 'langtidsledig', 'varighed uger', 'samtale'];

const middle = async (work) => median((await repeat(seconds, work)).map((answer) => answer.milliseconds));

/** What a catalogue of so many tables costs to read, to list and to search. */
export const manyTables = async () => {
  const catalogue = await multiply(TABLES, simulatorPort, upstreamPort);
  const from = performance.now();
  const program = startBridge(largePort, 'many', { upstream: upstreamPort });
  await ready(program, `${local(largePort)}/readyz`);
  const read = await detailed(largePort, TABLES);
  if (read < TABLES) throw new Error(`${read} of ${TABLES} tables were read`);
  const [taken, used] = [performance.now() - from, processorTime(program)];
  const random = seeded(93);
  const list = `${local(largePort)}/odata/Datasets`;
  const listed = await middle(() => ask(address(list, '', { $top: TABLES - random.below(50) })));
  const found = await middle(() => ask(address(list, '', { $search: random.one(WORDS), $top: 50 - random.below(20) })));
  const metadata = await middle(() => ask(`${local(largePort)}/odata/$metadata`));
  const size = `${number(resident(program))} MB`;
  limit(`${TABLES} tables: from the start until all are read`, milliseconds(taken), `processor ${milliseconds(used)}`, '', undefined);
  limit(`${TABLES} tables: memory, without figures`, size, '', '', undefined);
  limit(`${TABLES} tables: the list; a search; $metadata`, [listed, found, metadata].map(milliseconds).join('; '), '', '', undefined);
  await stop(program);
  catalogue.closeAllConnections();
  await new Promise((resolve) => catalogue.close(resolve));
};

const indicators = () =>
  Array.from({ length: Math.ceil(GAUGES / OF_AN_INDICATOR) }, (_, at) => ({
    id: `nr_${at}`,
    title: 'Ledige',
    table: 'y25i01',
    measure: 'Antal ledige personer',
    period_type: 'M',
    quantity: 'persons',
  }));

const allAreUp = async (program, url) => {
  for (const until = performance.now() + 300_000; performance.now() < until; ) {
    if (program.hasEnded) throw new Error('the bridge ended by itself');
    const text = (await ask(url)).body.toString();
    const [up, down] = [1, 0].map((state) => text.match(new RegExp(`^jobindsats_indicator_up\\{.*\\} ${state}$`, 'gm'))?.length ?? 0);
    if (up >= indicators().length && down === 0) return text.match(/^[^#\n]/gm).length;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error('not all indicators are up');
};

/** What a scrape of so many gauges costs, beside those of others in docs/benchmarks.md. */
export const manyGauges = async () => {
  const file = join(folder, 'indicators.json');
  writeFileSync(file, JSON.stringify({ indicators: indicators() }));
  const program = startBridge(largePort, 'gauges', { settings: { BRIDGE_INDICATORS: file, BRIDGE_SERIES_LIMIT: '1000000' } });
  await ready(program, `${local(largePort)}/readyz`);
  const url = `${local(largePort)}/metrics/indicators`;
  const series = await allAreUp(program, url);
  if (series < GAUGES) throw new Error(`${series} series where ${GAUGES} are scraped`);
  const taken = [];
  for (const gzip of [false, true]) {
    let bytes;
    const time = await middle(async () => {
      const answer = await ask(url, { headers: gzip ? { 'accept-encoding': 'gzip' } : {}, isKept: false });
      ({ bytes } = answer);
      return answer;
    });
    taken.push(`${gzip ? 'gzip' : 'plain'} ${milliseconds(time)} (${number(bytes / 1000)} kB)`);
  }
  limit(`a scrape of ${series} series`, taken.join('; '), 'benchmarks.md has others', '', undefined);
  await stop(program);
};
