// Times the pages in Debian's Chromium, over a catalogue of 500 tables:
//   (cd tests/browser && npm ci) && node benches/pages.mjs target/release/jobindsats-bridge
// Prints the median of ten visits of each page (milliseconds from the request to the first paint, warm) and the median of ten
// searches (milliseconds to the last byte, over one connection). The tables are the simulator's own, several times under other ids: a
// proxy between the bridge and the simulator multiplies the list. Run it on a machine that does nothing else.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

import { open } from '../tests/browser/browser.mjs';

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
const folder = mkdtempSync(join(tmpdir(), 'pages-'));
const children = [];

/** Starts a program of the bridge. That it ended is kept, since a program tells it only once. */
const start = (args, settings = {}) => {
  // No setting and no key of the caller's.
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(BRIDGE|JOBINDSATS)_/.test(name)));
  const child = spawn(bridge, args, { env: { ...own, ...settings }, stdio: 'ignore' });
  const started = { child, hasEnded: false };
  started.end = new Promise((resolve) => {
    for (const event of ['exit', 'error']) child.once(event, () => resolve((started.hasEnded = true)));
  });
  children.push(started);
};

/** Waits, unless a program has ended. */
const wait = async (milliseconds) => {
  if (children.some(({ hasEnded }) => hasEnded)) throw new Error(`${bridge} ended by itself`);
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
};

/** The answer of a server on this machine. */
const get = (port, path, headers = {}, agent = undefined) =>
  new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, headers, agent }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }));
    });
    asked.on('error', reject).end();
  });

const ready = async (port, path) => {
  for (let tries = 0; tries < 300; tries += 1) {
    const answer = await get(port, path).catch(() => undefined);
    if (answer && answer.status < 500) return;
    await wait(100);
  }
  throw new Error(`nothing answers on port ${port}`);
};

/** The list with copies of its tables until there are enough. */
const multiplied = (subjects) => {
  const groups = subjects.flatMap((subject) => subject.table_groups);
  const own = groups.flatMap((group) => group.tables.map((table) => [group, table]));
  for (let copy = 0; copy < TABLES - own.length; copy += 1) {
    const [group, table] = own[copy % own.length];
    group.tables.push({ ...table, table_id: `${table.table_id}x${Math.floor(copy / own.length)}` });
  }
  return subjects;
};

const proxy = createServer(async (asked, answer) => {
  const original = asked.url.replace(/(\/(?:table|data)\/[^/?]+?)x\d(?=[/?]|$)/, '$1');
  const { host, ...headers } = asked.headers;
  const { status, headers: own, body } = await get(simulatorPort, original, { ...headers, 'accept-encoding': 'identity' });
  let text = body;
  if (asked.url.includes('/tables')) text = JSON.stringify(multiplied(JSON.parse(body)));
  if (original !== asked.url) {
    const copy = asked.url.match(/\/(?:table|data)\/([^/?]+)/)[1];
    text = body.toString().replace(/"table_id":"[^"]*"/, `"table_id":"${copy}"`);
  }
  answer.writeHead(status, { 'content-type': own['content-type'] ?? 'application/json' }).end(text);
});

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

const paints = async (page, path) => {
  const times = [];
  for (let visit = 0; visit <= VISITS; visit += 1) {
    await page.goto(`http://127.0.0.1:${port}${path}`, { waitUntil: 'load' });
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
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const times = [];
  for (const words of ['warm', ...SEARCHES]) {
    const from = performance.now();
    const answer = await get(port, `/?q=${encodeURIComponent(words)}`, { accept: 'text/html' }, agent);
    if (answer.status !== 200) throw new Error(`${words}: ${answer.status}`);
    if (words !== 'warm') times.push(performance.now() - from);
  }
  agent.destroy();
  return median(times);
};

try {
  start(['simulator', '--listen', `127.0.0.1:${simulatorPort}`]);
  await ready(simulatorPort, '/v3/subjects?format=json');
  await new Promise((resolve) => proxy.listen(proxyPort, '127.0.0.1', resolve));
  start(['serve', '--simulator', `http://127.0.0.1:${proxyPort}/v3`], {
    BRIDGE_LISTEN: `127.0.0.1:${port}`,
    BRIDGE_DATA_DIR: folder,
    BRIDGE_LOG: 'warn',
  });
  await ready(port, '/readyz');
  let tables = 0;
  for (let tries = 0; tables < TABLES && tries < 600; tries += 1) {
    const state = (await get(port, '/status?sprog=en')).body.toString();
    tables = Number(state.match(/in detail: (\d+)/)?.[1] ?? 0);
    await wait(200);
  }
  console.log(`${tables} tables read`);
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
  if (tables < TABLES || slowest > LIMITS.paint || search > LIMITS.search) {
    console.error('above the limits of 200 ms and 30 ms at 500 tables');
    process.exitCode = 1;
  }
} finally {
  for (const { child } of children) child.kill();
  await Promise.all(children.map(({ end }) => end));
  proxy.close();
  rmSync(folder, { recursive: true, force: true });
}
process.exit();
