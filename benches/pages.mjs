// Times the pages in Debian's Chromium, over a catalogue of 500 tables:
//   (cd tests/browser && npm ci) && node benches/pages.mjs target/release/jobindsats-bridge
// Prints the median of ten visits of each page (milliseconds from the request to the first paint, warm) and the median of ten
// searches (milliseconds to the last byte, over one connection). The tables are the simulator's own, several times under other ids: a
// proxy between the bridge and the simulator multiplies the list. Run it on a machine that does nothing else.

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

import { open } from '../tests/browser/browser.mjs';
import { multiply } from './peers/multiplied.mjs';
import { ask, ready, start, whole } from './peers/programs.mjs';

const TABLES = 500;
const VISITS = 10;
const PAGES = {
  'front page': '/',
  'measurement': '/maaling/y07a02?kommune=730',
  'builder': '/maaling/y07a02/byg?kommune=730',
  'news': '/nyt?kommune=730',
  'state': '/status',
};
const SEARCHES = [
  'sygedagpenge', 'sygedagpneg', 'dagpenge køn', 'kontanthjælp alder', 'akasse', 'ledige randers', 'langtidsledig', 'varighed uger',
  'y25i01', 'joblog samtale',
];
const LIMITS = { paint: 200, search: 30 };

const [bridge] = process.argv.slice(2);
const base = 20000 + Math.floor(Math.random() * 10000);
const [simulatorPort, proxyPort, port] = [base, base + 1, base + 2];
const address = (path) => `http://127.0.0.1:${port}${path}`;
const folder = mkdtempSync(join(tmpdir(), 'pages-'));

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

const paints = async (page, path) => {
  const times = [];
  for (let visit = 0; visit <= VISITS; visit += 1) {
    await page.goto(address(path), { waitUntil: 'load' });
    const paint = await page.evaluate(
      () =>
        new Promise((resolve) => {
          new PerformanceObserver((list) => resolve(list.getEntriesByName('first-contentful-paint')[0].startTime)).observe({
            type: 'paint',
            buffered: true,
          });
        }),
    );
    if (visit > 0) times.push(paint);
  }
  return median(times);
};

const searches = async () => {
  const times = [];
  for (const words of ['warm', ...SEARCHES]) {
    const { milliseconds } = await ask(address(`/?q=${encodeURIComponent(words)}`), { headers: { accept: 'text/html' } });
    if (words !== 'warm') times.push(milliseconds);
  }
  return median(times);
};

/** A bridge that has read all tables. */
const startAll = async () => {
  const simulator = start(folder, 'simulator', bridge, ['simulator', '--listen', `127.0.0.1:${simulatorPort}`]);
  await ready(simulator, `http://127.0.0.1:${simulatorPort}/v3/subjects?format=json`);
  await multiply(TABLES, simulatorPort, proxyPort);
  const settings = { BRIDGE_LISTEN: `127.0.0.1:${port}`, BRIDGE_DATA_DIR: join(folder, 'data'), BRIDGE_LOG: 'warn' };
  const program = start(folder, 'bridge', bridge, ['serve', '--simulator', `http://127.0.0.1:${proxyPort}/v3`], { settings });
  await ready(program, address('/readyz'));
  for (let tries = 0; tries < 600; tries += 1) {
    const tables = Number((await ask(address('/status?sprog=en'))).body.toString().match(/in detail: (\d+)/)?.[1] ?? 0);
    if (tables >= TABLES) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`not all ${TABLES} tables were read`);
};

const main = async () => {
  await startAll();
  console.log(`${TABLES} tables read`);
  const browser = await open();
  const page = await browser.newPage({ locale: 'da-DK' });
  console.log(`| page | first paint, median of ${VISITS} |\n|---|---|`);
  let slowest = 0;
  for (const [name, path] of Object.entries(PAGES)) {
    const paint = await paints(page, path);
    slowest = Math.max(slowest, paint);
    console.log(`| ${name} | ${paint.toFixed(0)} ms |`);
  }
  await browser.close();
  const search = await searches();
  console.log(`| search | ${search.toFixed(1)} ms |`);
  if (slowest > LIMITS.paint || search > LIMITS.search) {
    console.error('above the limits of 200 ms and 30 ms at 500 tables');
    process.exitCode = 1;
  }
};

await whole(main, folder);
