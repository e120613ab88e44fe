// Photographs dashboards in headless Chromium, from their own JSON and a running Prometheus:
//   node photograph.mjs http://127.0.0.1:9090 folder [name?dashboard=overview&var-kommune=Aarhus ...]
// Without addresses it takes the pictures of the README. A panel that shows nothing and an error on the page are faults.

import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';

import { chromium } from 'playwright-core';
import { build, preview } from 'vite';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const SIZE = { width: 1480, height: 900 };
const SCRAPED = process.env.SCRAPE_INTERVAL ?? '60s';
const SINCE = process.env.SCRAPED_SINCE ?? 'now-24h';
const OF_THE_README = [
  `bridge?dashboard=bridge&from=${SINCE}`,
  'overview?dashboard=overview&var-kommune=Randers',
  'indicator?dashboard=indicator&var-indicator=langtidsledige_andel',
];

async function photograph(page, site, picture, folder) {
  const [name, query] = picture.split('?');
  const address = new URLSearchParams(query);
  address.set('scrape', SCRAPED);
  const errors = [];
  const heard = (error) => errors.push(error.stack ?? error);
  page.on('pageerror', heard);
  await page.goto(`${site}?${address}`);
  await page.waitForSelector('main[data-state=ready], body[data-failed]', { state: 'attached', timeout: 60_000 });
  await page.waitForLoadState('networkidle');
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ ...SIZE, height }); // tables draw what can be seen
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  const failed = await page.getAttribute('body', 'data-failed');
  const empty = await page.$$eval('[data-empty]', (panels) => panels.map(({ dataset }) => dataset.empty));
  await page.screenshot({ path: join(folder, `${name}.png`) });
  await page.setViewportSize(SIZE);
  page.off('pageerror', heard);
  if (failed) errors.push(failed);
  errors.push(...empty.map((panel) => `${name}: panel ${panel} shows nothing`));
  return errors;
}

const [prometheus, into, ...pictures] = process.argv.slice(2);
const folder = resolve(into);
process.env.PROMETHEUS = prometheus;
mkdirSync(folder, { recursive: true });
process.chdir(import.meta.dirname);
await build();
const server = await preview({ preview: { host: '127.0.0.1', port: 0, proxy: { '/api/v1': prometheus } } });
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
const page = await browser.newPage({ viewport: SIZE, locale: 'da-DK', timezoneId: 'Europe/Copenhagen' });
const errors = [];
for (const picture of pictures.length ? pictures : OF_THE_README) {
  errors.push(...(await photograph(page, server.resolvedUrls.local[0], picture, folder)));
}
await browser.close();
await server.close();
if (errors.length) {
  process.stderr.write(`FAILED:\n${errors.join('\n')}\n`);
  process.exitCode = 1;
}
