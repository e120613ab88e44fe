// What a person does with the pages, in Chromium, and what axe-core finds on them:
//   node person.mjs http://127.0.0.1:8080
// The service must have read its tables. The first thing that does not hold ends the run.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import process from 'node:process';

import axe from 'axe-core';

import { open } from './browser.mjs';

const service = process.argv[2];
const SHARE = 'Andel_langtidsledige_personer_ift_bruttoledige_personer';
const PAGES = [
  '/',
  '/?q=sygedagpneg&kommune=730',
  '/?q=qqqqqq',
  '/maaling/y07a02?kommune=730&fordeling=K%C3%B8n',
  `/maaling/y25i09?kommune=730&sammenlign=751,851&maal=${SHARE}`,
  '/maaling/y25i09?kommune=825&skala=indeks',
  '/maaling/y25i09/byg?kommune=730',
  `/maaling/y25i01/byg?kommune=730&maal=Antal_ledige_personer&fordeling=${encodeURIComponent('Køn')}&${encodeURIComponent('Køn_id')}=Kvinder`,
  `/maaling/y25i09/byg?kommune=730&valg=${encodeURIComponent("y25i09/Hovedtal?$filter=Periode eq '2026M07'")}`,
  '/nyt?kommune=730',
  '/status',
  '/maaling/findes_ikke',
  '/findes-ikke',
];
const WEIGHT = 100_000;

const browser = await open();

// A page in a context of its own. Requests to other hosts and errors on the page are faults.
async function visiting(options, visit) {
  const context = await browser.newContext({ locale: 'da-DK', viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const faults = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(service)) faults.push(`a request to ${request.url()}`);
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    const isStatus = message.text().startsWith('Failed to load resource');
    if (message.type() === 'error' && !isStatus) faults.push(message.text());
  });
  let clicks = 0;
  const person = {
    page,
    click: (locator) => ((clicks += 1), locator.click()),
    choose: (locator, label) => ((clicks += 1), locator.selectOption({ label })),
    clicks: () => clicks,
  };
  await visit(person);
  assert.deepEqual(faults, []);
  await context.close();
}

const step = async (name, work) => {
  const started = performance.now();
  await work();
  process.stdout.write(`${String(Math.round(performance.now() - started)).padStart(7)} ms  ${name}\n`);
};

// Searches for the words, follows the result of that title, or a link of it, and counts the clicks since the front page.
async function found(person, words, title, link) {
  const { page } = person;
  await page.goto(`${service}/`);
  await page.getByRole('searchbox').fill(words);
  const result = page.locator('.results li').filter({ has: page.locator('.title', { hasText: title }) }).first();
  await result.waitFor();
  await person.click(link ? result.getByRole('link', { name: link, exact: true }) : result.locator('.title'));
}

// Saves a file that the page offers, and counts the click.
async function saved(person, name) {
  const link = person.page.getByRole('link', { name, exact: true });
  const [download] = await Promise.all([person.page.waitForEvent('download'), person.click(link)]);
  return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
}

// Saves the workbook that the page offers, and counts the click.
async function workbook(person) {
  const { name, bytes } = await saved(person, 'Excel-projektmappe');
  assert.ok(name.endsWith('.xlsx'), name);
  assert.equal(bytes.subarray(0, 4).toString('latin1'), 'PK\x03\x04', name);
  assert.ok(bytes.includes('xl/worksheets/sheet1.xml'), 'a workbook');
}

// Saves the CSV for a Danish Excel, counts the click, and holds it to rows of the feed with these columns.
async function danishCsv(person, rows, columns) {
  const { name, bytes } = await saved(person, 'CSV til dansk Excel');
  assert.ok(name.endsWith('.csv'), name);
  const [head, ...lines] = bytes.toString().replace('\ufeff', '').trimEnd().split('\r\n');
  const names = head.split(';');
  for (const column of columns) assert.ok(names.includes(column), `${column}: ${head}`);
  const texts = columns.filter((column) => typeof rows[0][column] === 'string' && column !== 'Fra');
  const shown = (cell) => texts.map(cell).join(' · ');
  assert.deepEqual(
    lines.map((line) => shown((column) => line.split(';')[names.indexOf(column)].replaceAll('"', ''))),
    rows.map((row) => shown((column) => row[column])),
  );
}

await step('axe-core finds nothing, in both languages, light and dark', async () => {
  const found = [];
  for (const colorScheme of ['light', 'dark']) {
    await visiting({ colorScheme, bypassCSP: true }, async ({ page }) => {
      for (const language of ['da', 'en']) {
        for (const path of PAGES) {
          await page.goto(`${service}${path}${path.includes('?') ? '&' : '?'}sprog=${language}`);
          await page.evaluate(() => document.querySelectorAll('details').forEach((it) => (it.open = true)));
          await page.evaluate(axe.source);
          const { violations } = await page.evaluate(() => globalThis.axe.run());
          const told = ({ id, nodes }) => `${path} ${language} ${colorScheme} ${id}: ${nodes[0].html}`;
          found.push(...violations.map(told));
        }
      }
    });
  }
  assert.deepEqual(found, []);
});

await step('a page weighs little without the rows of its tables', async () => {
  for (const path of PAGES) {
    const answer = await fetch(service + path, { headers: { Accept: 'text/html' } });
    const html = (await answer.text()).replace(/<tbody>.*?<\/tbody>/gs, '');
    const files = [...html.matchAll(/(?:href|src)="([^"]*assets\/[^"]*)"/g)].map(([, file]) => new URL(file, service + path));
    const sizes = await Promise.all(files.map(async (file) => (await (await fetch(file)).arrayBuffer()).byteLength));
    const weight = sizes.reduce((sum, size) => sum + size, html.length);
    assert.ok(weight < WEIGHT, `${path}: ${weight} bytes`);
  }
});

await step('a misspelt word leads to chart, map, table and the rows behind them', async () => {
  await visiting({ permissions: ['clipboard-read', 'clipboard-write'] }, async (person) => {
    const { page } = person;
    await page.goto(`${service}/?kommune=730`);
    await page.getByRole('searchbox').pressSequentially('sygedagpneg', { delay: 20 });
    await page.locator('#fundet').waitFor();
    const broad = await page.locator('.results li').count();
    await page.getByRole('searchbox').pressSequentially(' varighed', { delay: 20 });
    await page.waitForFunction((broad) => document.querySelectorAll('.results li').length < broad, broad);
    assert.ok(page.url().includes('kommune=730'), 'the municipality stays in the address');
    await person.click(page.locator('.results .title').filter({ hasText: 'varighed af afsluttede forløb' }).first());
    await page.locator('svg.chart').first().waitFor();
    assert.equal(await page.locator('svg.map a').count(), 98);
    await page.getByRole('button', { name: 'Kopiér', exact: true }).click();
    const address = await page.evaluate(() => navigator.clipboard.readText());
    await page.getByRole('button', { name: 'Kopiér scriptet' }).click();
    await page.waitForFunction(async () => (await navigator.clipboard.readText()).startsWith('createOrReplace'));
    const rows = await rowsOf(address);
    await page.evaluate(() => document.querySelectorAll('details').forEach((it) => (it.open = true)));
    const shown = await page.locator('section[aria-labelledby=tal] tbody tr').evaluateAll((lines) =>
      lines.map((line) => line.querySelector('td').textContent.trim()),
    );
    const own = rows.filter((row) => row['Områdekode'] === '730');
    const measure = Object.keys(own[0]).find((name) => !name.startsWith('@') && !['Periode', 'Fra', 'Område', 'Områdekode'].includes(name));
    const expected = own.map((row) => (row[measure] === null ? '–' : '') + written(row[measure], 1));
    assert.deepEqual(shown, expected.slice(0, shown.length));
    assert.ok(shown.length > 12);
  });
});

// All rows of an address of the service.
async function rowsOf(path) {
  const rows = [];
  for (let next = path; next; ) {
    const answer = await (await fetch(new URL(next, service))).json();
    rows.push(...answer.value);
    next = answer['@odata.nextLink'];
  }
  return rows;
}

// A figure as a Danish page writes it.
function written(figure, decimals) {
  const format = new Intl.NumberFormat('da-DK', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return figure === null ? 'ikke offentliggjort' : format.format(figure);
}

// The headline of each place on the page, held to the newest period of the feed.
async function headlinesAreThoseOf(page, decimals, places) {
  await page.locator('.headline').first().waitFor();
  const measure = (await page.locator('#adresse').textContent()).split(',').at(-1);
  const shown = await page.locator('.headline').evaluateAll((all) =>
    all.map((one) => ['.place', '.figure'].map((part) => one.querySelector(part).textContent)),
  );
  const [, table] = page.url().match(/maaling\/([a-z0-9]+)/);
  const filter = `Område in (${places.map((place) => `'${place}'`).join(',')})`;
  const address = `/odata/jobindsats/${table}/Hovedtal?$filter=${encodeURIComponent(filter)}&$select=Periode,Område,${measure}`;
  const rows = (await rowsOf(address)).filter((row) => row[measure] !== null);
  const newest = rows.map((row) => row.Periode).sort().at(-1);
  const expected = places.map((place) => {
    const row = rows.find((row) => row.Periode === newest && row['Område'] === place);
    return [place, written(row ? row[measure] : null, decimals)];
  });
  assert.deepEqual(shown, expected);
}

// The rows of a breakdown on the page, held to the set of the feed.
async function partsAreThoseOf(page, set, label) {
  await page.locator('table.parts tbody tr').first().waitFor();
  const shown = await page.locator('table.parts tbody th').allTextContents();
  const [, table] = page.url().match(/maaling\/([a-z0-9]+)/);
  const rows = await rowsOf(`/odata/jobindsats/${table}/${encodeURIComponent(set)}?$apply=groupby((${encodeURIComponent(label)}))`);
  assert.deepEqual(shown.toSorted(), rows.map((row) => row[label]).toSorted());
}

await step('the questions are answered within four clicks and end in a file', async () => {
  const ask = (clicks, answer) => visiting({}, async (person) => {
    await answer(person, person.page);
    assert.equal(person.clicks(), clicks, 'clicks and choices');
    assert.ok(clicks <= 4, 'clicks and choices');
  });
  await ask(2, async (person, page) => {
    await found(person, 'langtidsledige i Randers', 'antal langtidsledige personer');
    await headlinesAreThoseOf(page, 0, ['Randers', 'Region Midtjylland', 'Hele landet']);
    await workbook(person);
  });
  await ask(2, async (person, page) => {
    await found(person, 'sygedagpenge i Randers', 'antal personer og fuldtidspersoner');
    await headlinesAreThoseOf(page, 0, ['Randers', 'Hele landet']);
    await workbook(person);
  });
  for (const part of ['Køn', 'Alder']) {
    await ask(4, async (person, page) => {
      await found(person, 'kontanthjælp', 'antal personer og fuldtidspersoner');
      await person.choose(page.getByLabel('Fordeling'), part);
      await person.click(page.getByRole('button', { name: 'Vis' }).first());
      await partsAreThoseOf(page, `Fordelt_på_${part}`, part);
      await danishCsv(person, await rowsOf(await page.locator('#adresse').textContent()), ['Fra', 'Områdekode', part]);
    });
  }
  await ask(3, async (person, page) => {
    await found(person, 'kontanthjælp køn alder', 'antal personer og fuldtidspersoner', 'køn og alder');
    await person.click(page.locator('.notice').filter({ hasText: 'Rækkerne for Alder er på flere niveauer' }).getByRole('link').last());
    assert.equal(await page.getByText('er på flere niveauer').count(), 0);
    const rows = await rowsOf(await page.locator('#odata').textContent());
    const combinations = new Set(rows.map((row) => `${row.Periode} ${row['Køn']} ${row.Alder}`));
    assert.ok(rows.length > 100 && combinations.size === rows.length, `${combinations.size} of ${rows.length}`);
    await danishCsv(person, rows, ['Fra', 'Områdekode', 'Køn', 'Alder', 'Status']);
  });
  await ask(2, async (person, page) => {
    await found(person, 'ledige akasse', 'faktiske antal ledige', 'a-kasse');
    await partsAreThoseOf(page, 'Fordelt_på_A_kasse', 'A_kasse');
    await danishCsv(person, await rowsOf(await page.locator('#adresse').textContent()), ['Fra', 'Områdekode', 'A_kasse']);
  });
  await ask(2, async (person, page) => {
    await found(person, 'gennemsnitlig varighed sygedagpenge', 'varighed af afsluttede forløb');
    await headlinesAreThoseOf(page, 1, ['Hele landet']);
    assert.equal(await page.locator('.headline .unit').textContent(), 'uger');
    await workbook(person);
  });
  await ask(2, async (person, page) => {
    await page.goto(`${service}/?kommune=730`);
    await person.click(page.getByRole('link', { name: 'Nyt', exact: true }));
    await page.waitForURL(/\/nyt\?kommune=730/);
    const shown = await page.locator('section[aria-labelledby=kom] li a').count();
    assert.ok(shown > 0, 'figures that came');
    const feed = await (await fetch(new URL(await page.getByRole('link', { name: 'nyt som Atom-feed' }).getAttribute('href'), page.url()))).text();
    assert.match(feed, /<entry>/);
    const { name, bytes } = await saved(person, 'nye og ændrede tal som CSV til dansk Excel');
    assert.ok(name.endsWith('.csv'), name);
    const arrived = bytes.toString().split('\r\n').filter((line) => line.startsWith('Nye tal;'));
    assert.ok(arrived.length >= shown, `${arrived.length} in the file, ${shown} on the page`);
  });
  await ask(4, async (person, page) => {
    await found(person, 'ledige akasse', 'faktiske antal ledige', 'a-kasse');
    await person.click(page.getByRole('link', { name: 'Byg et udtræk' }));
    const { name, bytes } = await saved(person, 'CSV');
    assert.ok(name.endsWith('.csv'), name);
    const rows = await rowsOf(await page.locator('#odata').textContent());
    const [head, ...lines] = bytes.toString().replace('\ufeff', '').trimEnd().split('\r\n');
    assert.equal(head, Object.keys(rows[0]).filter((name) => !name.startsWith('@')).join(','));
    assert.ok(head.startsWith('Periode,Fra,Område,Områdekode,A_kasse,'), head);
    assert.equal(lines.length, rows.length);
    const { Periode, Fra, 'Område': place, 'Områdekode': code } = rows[0];
    assert.ok(lines[0].startsWith(`${Periode},${Fra},${place},${code},`), lines[0]);
    await workbook(person);
  });
});

await step('the keyboard alone finds and opens a measurement', async () => {
  await visiting({}, async ({ page }) => {
    await page.goto(`${service}/`);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'q');
    await page.keyboard.type('fleksjob');
    await page.keyboard.press('Enter');
    await page.waitForURL(/q=fleksjob/);
    await page.locator('#q').focus();
    for (let tabs = 0; tabs < 8; tabs += 1) {
      await page.keyboard.press('Tab');
      if (await page.evaluate(() => document.activeElement.classList.contains('title'))) break;
    }
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.equal(outline, 'solid', 'the focus is seen');
    await page.keyboard.press('Enter');
    await page.locator('svg.chart').first().waitFor();
  });
});

await step('everything works without JavaScript', async () => {
  await visiting({ javaScriptEnabled: false }, async ({ page }) => {
    await page.goto(`${service}/`);
    await page.getByRole('searchbox').fill('syg randers');
    await page.getByRole('button', { name: 'Søg' }).click();
    await page.locator('.results .title').first().click();
    assert.ok((await page.locator('svg.chart').count()) > 0);
    await page.getByLabel('Sammenlign med').fill('Aarhus');
    await page.getByRole('button', { name: 'Vis' }).first().click();
    assert.equal(await page.locator('.headline .place').getByText('Aarhus', { exact: true }).count(), 1);
  });
});

await step('phones, large text, dark and print', async () => {
  const isTooWide = () => document.documentElement.scrollWidth > document.documentElement.clientWidth;
  const scrollsUnseen = () => {
    const style = (part) => getComputedStyle(part);
    const scrolls = (part) => style(part).overflowX === 'auto' && part.scrollWidth > part.clientWidth;
    const parts = [...document.querySelectorAll('main *')].filter(scrolls);
    return parts.filter((part) => !style(part).backgroundImage.includes('gradient')).map((part) => part.outerHTML.slice(0, 80));
  };
  for (const path of PAGES) {
    await visiting({ viewport: { width: 360, height: 740 } }, async ({ page }) => {
      await page.goto(service + path);
      assert.ok(!(await page.evaluate(isTooWide)), `${path} is wider than a phone`);
      assert.deepEqual(await page.evaluate(scrollsUnseen), [], `${path} has parts that scroll sideways and do not show it`);
    });
    await visiting({ colorScheme: 'dark', bypassCSP: true }, async ({ page }) => {
      await page.goto(service + path);
      const light = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.ok(light.match(/\d+/g).slice(0, 3).every((part) => Number(part) < 60), `${path} is ${light}`);
      await page.addStyleTag({ content: 'html { font-size: 200% }' });
      assert.ok(!(await page.evaluate(isTooWide)), `${path} has no room for large text`);
      await page.emulateMedia({ media: 'print' });
      assert.equal(await page.locator('form:visible, button:visible').count(), 0, `${path} prints its forms`);
    });
  }
});

await browser.close();
