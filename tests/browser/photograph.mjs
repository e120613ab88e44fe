// Photographs every page, light, dark and on a phone:
//   node photograph.mjs http://127.0.0.1:8080 folder [name=path ...]
// TALLEST=2600 cuts the pictures at so many pixels.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

import { open } from './browser.mjs';

const PAGES = {
  find: '/',
  soeg: '/?q=sygedagpneg&kommune=730',
  maaling: '/maaling/y07a02?kommune=730&fordeling=K%C3%B8n',
  andel: '/maaling/y25i09?kommune=730&sammenlign=751,851&maal=Andel_langtidsledige_personer_ift_bruttoledige_personer',
  indeks: '/maaling/y25i09?kommune=730&sammenlign=751&skala=indeks&sprog=en',
  byg: '/maaling/y25i09/byg?kommune=730',
  nyt: '/nyt?kommune=730',
  status: '/status',
  fejl: '/findes-ikke',
};
const LOOKS = {
  lys: { viewport: { width: 1280, height: 900 } },
  moerk: { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' },
  telefon: { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2 },
};

const tallest = Number(process.env.TALLEST ?? Infinity);
const [service, folder, ...chosen] = process.argv.slice(2);
const pages = chosen.length ? Object.fromEntries(chosen.map((page) => page.split(/=(.*)/s))) : PAGES;
mkdirSync(folder, { recursive: true });
const browser = await open();
for (const [look, options] of Object.entries(LOOKS)) {
  const page = await browser.newPage({ locale: 'da-DK', ...options });
  for (const [name, path] of Object.entries(pages)) {
    await page.goto(service + path, { waitUntil: 'networkidle' });
    const { width, height } = await page.evaluate(() => document.documentElement.getBoundingClientRect());
    const shown = Math.min(height, Math.floor(tallest / (options.deviceScaleFactor ?? 1)));
    const clip = { x: 0, y: 0, width, height: shown };
    await page.screenshot({ path: join(folder, `${name}-${look}.png`), fullPage: true, clip });
  }
  await page.close();
}
await browser.close();
