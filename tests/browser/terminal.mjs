// Photographs a text as a terminal shows it:
//   node terminal.mjs text.txt picture.png

import { readFileSync } from 'node:fs';
import process from 'node:process';

import { open } from './browser.mjs';

const [text, picture] = process.argv.slice(2);
const browser = await open();
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
await page.setContent('<pre style="font: 14px/1.15 monospace; padding: 12px; margin: 0; width: max-content"></pre>');
await page.locator('pre').evaluate((element, shown) => (element.textContent = shown), readFileSync(text, 'utf8'));
await page.locator('pre').screenshot({ path: picture });
await browser.close();
