// What a person sees of signing in, in Chromium: what is asked, the pages behind it, and the files that they offer. The service has users, and
// a proxy on this machine may name one:
//   node sign_in.mjs http://127.0.0.1:8080 anne:hemmelig X-Forwarded-User:dorte
// The second user reads the table y25i01 alone. The first thing that does not hold ends the run.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import process from 'node:process';

import { open } from './browser.mjs';

const [service, user, header] = process.argv.slice(2);
const pair = (text) => [text.slice(0, text.indexOf(':')), text.slice(text.indexOf(':') + 1)];
const [username, password] = pair(user);

const browser = await open();

async function visiting(options, visit) {
  const context = await browser.newContext({ locale: 'da-DK', ...options });
  const page = await context.newPage();
  const faults = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('response', (answer) => answer.status() >= 400 && faults.push(`${answer.status()} ${answer.url()}`));
  await visit(page, faults);
  await context.close();
  return faults;
}

// Searches, follows a result, saves its workbook, and shows that the page leads nowhere that the person may not go.
async function reads(page, words) {
  await page.goto(`${service}/`);
  await page.getByRole('searchbox').pressSequentially(words, { delay: 20 });
  await page.locator('.results .title').first().click();
  await page.locator('svg.chart').first().waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Excel-projektmappe', exact: true }).click()]);
  assert.equal((await readFile(await download.path())).subarray(0, 4).toString('latin1'), 'PK\x03\x04');
  await page.getByRole('link', { name: 'Byg et udtræk' }).first().click();
  await page.locator('#odata').waitFor();
  assert.equal(await page.getByRole('link', { name: 'Prometheus', exact: true }).count(), 0);
  const html = await page.content();
  assert.ok(!html.includes(password) && !html.includes('grant='), 'no secret is on the page');
}

// Chromium without a window shows nothing of an answer that asks for a password, so it is read.
await visiting({}, async (page) => {
  const answer = await page.request.get(`${service}/`, { headers: { Accept: 'text/html' } });
  assert.equal(answer.status(), 401);
  assert.match(answer.headers()['www-authenticate'], /^Basic realm="Jobindsats"/);
  assert.match(await answer.text(), /Log ind/);
});
await visiting({ httpCredentials: { username, password: `${password}x` } }, async (page) => {
  const answer = await page.goto(`${service}/`);
  assert.equal(answer.status(), 401);
  assert.match(await page.textContent('main'), /forkert/);
  const isStyled = await page.evaluate(() => getComputedStyle(document.querySelector('header')).display !== 'inline' && document.styleSheets.length > 0);
  assert.ok(isStyled, 'the page that asks has its styles');
});
// What is asked without a password first is answered 401, and asked again with it.
const asked = (faults) => faults.filter((fault) => !fault.startsWith('401 '));
assert.deepEqual(asked(await visiting({ httpCredentials: { username, password } }, (page) => reads(page, 'sygedagpenge varighed'))), []);
const named = { extraHTTPHeaders: Object.fromEntries([pair(header)]) };
assert.deepEqual(await visiting(named, (page) => reads(page, 'ledige')), []);
await visiting(named, async (page) => {
  const answer = await page.goto(`${service}/maaling/y07a02`);
  assert.equal(answer.status(), 403);
  assert.match(await page.textContent('main'), /adgang til/);
});
await browser.close();
console.log('pages were read by a user with a password and by one whom a proxy names');
