// Loads the same rows into the bridge and its peers, checks that answers are equal, measures, and prints tables in Markdown. Started by
// `run`, which installs the peers.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { isDeepStrictEqual } from 'node:util';

import { smallBesideLarge } from './beside.mjs';
import { FIGURES, SHOWN, kinds, seeded } from './kinds.mjs';
import { largeTable, longTable } from './large.mjs';
import { load, measure, ofBytes } from './load.mjs';
import { manyGauges, manyTables } from './many.mjs';
import { morning } from './morning.mjs';
import { ask, run, stop, whole } from './programs.mjs';
import { allRows, startBoth, startCap, startNginx, walk } from './servers.mjs';
import {
  CHECKED,
  CONNECTIONS,
  GZIP,
  LEAST,
  TABLE,
  address,
  bridge,
  folder,
  here,
  local,
  median,
  nginxPort,
  options,
  ours,
  peers,
  repeat,
  seconds,
  tell,
  theirs,
} from './setting.mjs';
import { limit, limits, machine, milliseconds, notMet, number, table, times, verdict } from './table.mjs';

const MARKS = ['<!-- measured by benches/peers/run -->', '<!-- end of what was measured -->'];

/** Different requests, as many as the kind has up to a limit. */
const requests = (kind, seed) => {
  const random = seeded(seed);
  const found = new Map();
  for (let tries = 0; tries < 60_000 && found.size < 20_000; tries += 1) {
    const request = kind.ask(random);
    found.set(JSON.stringify(request.options), request);
  }
  return [...found.values()];
};

const compare = async (kind, asked, ourAddresses, theirAddresses) => {
  for (let index = 0; index < CHECKED; index += 1) {
    const left = await ask(ourAddresses[index], { headers: kind.gzip ? GZIP : {} });
    const right = await ask(theirAddresses[index]);
    if (!kind.same(left.body, right.body, asked[index])) {
      throw new Error(
        `answers differ:\n${ourAddresses[index]}\n${left.body.subarray(0, 800)}\n${theirAddresses[index]}\n${right.body.subarray(0, 800)}`,
      );
    }
  }
};

/** Every kind with its answers compared, before anything is measured. */
const prepare = async (all) => {
  const prepared = [];
  for (const [index, kind] of all.entries()) {
    const asked = requests(kind, index + 1);
    const path = kind.path ?? '';
    const ourAddresses = asked.map((one) => address(`${ours}/Data`, path, one.options));
    const theirAddresses = asked.map((one) => address(`${theirs}/${kind.set ?? 'ShownRows'}`, path, one.options));
    await compare(kind, asked, ourAddresses, theirAddresses);
    prepared.push({ kind, ourAddresses, theirAddresses, questions: asked.slice(0, 4 * LEAST).map(kind.sql) });
  }
  tell(`answers of ${prepared.length} kinds are equal, ${CHECKED} of each`);
  return prepared;
};

const againstCap = async ({ kind, ourAddresses, theirAddresses }, bridgeProgram, cap) => {
  const left = await measure(ourAddresses, bridgeProgram, kind.gzip);
  const right = await measure(theirAddresses, cap);
  const ratios = [right.one.median / left.one.median, left.sixteen.rate / right.sixteen.rate];
  const aims = kind.aim ?? [];
  const row = [
    kind.name,
    milliseconds(left.one.median),
    milliseconds(right.one.median),
    number(left.sixteen.rate),
    number(right.sixteen.rate),
    ratios.map(times).join(' / '),
    aims
      .filter(Boolean)
      .map((aim) => `≥ ${aim}×`)
      .join(' / '),
    verdict(aims.map((aim, index) => aim && ratios[index] >= aim)),
  ];
  tell(row.join(' | '));
  return { row, left, right };
};

/** What a column store takes for the same questions inside a program, without HTTP and JSON. */
const insideDuckDb = async (prepared, measured) => {
  const file = join(folder, 'questions.json');
  writeFileSync(file, JSON.stringify(Object.fromEntries(prepared.map(({ kind, questions }) => [kind.name, questions]))));
  const found = JSON.parse(await run(join(peers, 'python/bin/python'), [join(here, 'files.py'), 'questions', join(folder, 'rows.json'), file]));
  const rows = prepared.map(({ kind }, index) => {
    const [inside, over] = [found.seconds[kind.name] * 1000, measured[index].left.one.median];
    return [kind.name, milliseconds(inside), milliseconds(over), times(over / inside)];
  });
  return table(['the same question', `DuckDB ${found.version} inside a program`, 'bridge over HTTP, as JSON', 'ratio'], rows);
};

const readyDocuments = async (bridgeProgram, cap, rate) => {
  const documents = { 'service document': '/', '$metadata': '/$metadata' };
  const names = { 'service document': 'service.json', '$metadata': 'metadata.xml' };
  const shown = address(`${ours}/Data`, '', { $select: SHOWN.join(','), $filter: "Periode eq '2020M03'", $top: 1000 });
  const files = { 'rows.json': (await ask(shown)).body };
  for (const [name, path] of Object.entries(documents)) files[names[name]] = (await ask(ours + path)).body;
  await startNginx(files);
  const found = {};
  const alone = await load([`${local(nginxPort)}/rows.json`], 1, seconds);
  const many = await load([`${local(nginxPort)}/rows.json`], CONNECTIONS, seconds);
  for (const [name, path] of Object.entries(documents)) {
    const left = await measure([ours + path], bridgeProgram);
    const right = await measure([theirs + path], cap);
    found[name] = left.sixteen;
    const bytes = `${local(nginxPort)}/${names[name]}`;
    const [one, sixteen] = [await load([bytes], 1, seconds), await load([bytes], CONNECTIONS, seconds)];
    const shares = [left.one.rate / one.rate, left.sixteen.rate / sixteen.rate];
    limit(
      `${name}, requests/s at one / sixteen`,
      `${number(left.one.rate)} / ${number(left.sixteen.rate)}`,
      `nginx ${number(one.rate)} / ${number(sixteen.rate)}, CAP's own ${number(right.one.rate)} / ${number(right.sixteen.rate)}`,
      `≥ 80 % of nginx; here ${shares.map((share) => `${(100 * share).toFixed(0)} %`).join(' / ')}`,
      shares.every((share) => share >= 0.8),
    );
  }
  const least = [`${new URL(ours).origin}/healthz`];
  const [one, sixteen] = [await load(least, 1, seconds), await load(least, CONNECTIONS, seconds)];
  limit('`/healthz`, a few bytes: the HTTP layer alone, requests/s at one / sixteen', `${number(one.rate)} / ${number(sixteen.rate)}`, '', '', undefined);
  const text = `nginx gives the ${number(files['rows.json'].length / 1000)} kB of 1,000 rows ${number(alone.rate)} times a second at one connection and ${number(many.rate)} times at sixteen, with the same wrk; the bridge, which makes other rows for each request, is at ${((100 * rate) / many.rate).toFixed(0)} % of that in the first row.`;
  return { text, service: found['service document'], metadata: found.$metadata };
};

const paging = async () => {
  const random = seeded(99);
  const once = async (set) => {
    let pages = 0;
    const from = performance.now();
    await walk(address(set, '', { $select: random.shuffled(SHOWN).join(',') }), () => (pages += 1));
    return { pages, taken: performance.now() - from };
  };
  const [left, right] = [
    await repeat(seconds, () => once(`${ours}/Data`)),
    await repeat(seconds, () => once(`${theirs}/ShownRows`)),
  ];
  const [our, their] = [left, right].map((walks) => median(walks.map(({ taken }) => taken)));
  return {
    row: [
      `page through everything, default pages (${left[0].pages} and ${right[0].pages}), 6 columns`,
      milliseconds(our),
      milliseconds(their),
      '',
      '',
      times(their / our),
      '≥ 10×',
      verdict([their / our >= 10]),
    ],
  };
};

/** What this client takes for the same pages where nothing has to be made. */
const pagesOfNginx = async () => {
  const bodies = [];
  await walk(address(`${ours}/Data`, '', { $select: SHOWN.join(',') }), ({ body }) => bodies.push(body));
  const files = bodies.map((_, index) => `page-${index}.json`);
  for (const [index, body] of bodies.entries()) writeFileSync(join(folder, 'nginx', files[index]), body);
  const once = async () => {
    const from = performance.now();
    for (const file of files) await ask(`${local(nginxPort)}/${file}`);
    return performance.now() - from;
  };
  const taken = median(await repeat(seconds, once));
  const size = bodies.reduce((sum, body) => sum + body.length, 0) / 1e6;
  limit(`all default pages of 6 columns from nginx (${number(size)} MB), by the client that pages`, milliseconds(taken), 'the bridge makes them in the first table', '', undefined);
};

const sortedPages = async () => {
  const random = seeded(98);
  const once = async () => {
    const taken = [];
    const options = { $select: random.shuffled(SHOWN).join(','), $orderby: `${random.one(FIGURES)} desc` };
    await walk(address(`${ours}/Data`, '', options), (answer) => taken.push(answer.milliseconds), {
      prefer: 'odata.maxpagesize=10000',
    });
    return [taken[1], taken.at(-2)];
  };
  const walks = await repeat(seconds, once);
  const [second, last] = [0, 1].map((index) => median(walks.map((taken) => taken[index])));
  limit(
    'page k of n under `$orderby` by a figure, pages of 10,000',
    `last ${milliseconds(last)}`,
    `second ${milliseconds(second)}`,
    'last ≤ 1.5 × second',
    last <= 1.5 * second,
  );
};

const largePage = async (rows) => {
  const random = seeded(97);
  const addresses = () =>
    Array.from({ length: 1000 }, () => address(`${ours}/Data`, '', { $skip: random.below(rows - 50_000), $top: 50_000 }));
  const warm = addresses();
  const { body } = await ask(warm[0]);
  const { memcpy, zlib, version } = await ofBytes('page', body);
  for (const one of warm.slice(0, CHECKED)) await ask(one);
  writeFileSync(join(folder, 'nginx', 'page.json'), body);
  const sent = (await load([`${local(nginxPort)}/page.json`], 1, seconds)).median;
  const plain = (await load(addresses(), 1, 2 * seconds)).median;
  const gzip = (await load(addresses(), 1, 2 * seconds, { gzip: true })).median;
  const many = await load(addresses(), CONNECTIONS, 2 * seconds, { gzip: true });
  const size = body.length / 1e6;
  limit(
    `a page of 50,000 rows × 22 columns (${number(size)} MB)`,
    `${milliseconds(plain)} (${number((size / plain) * 1000)} MB/s)`,
    `memcpy ${milliseconds(memcpy)}, nginx ${milliseconds(sent)} for the same bytes`,
    `≤ 5 × memcpy; here ${times(plain / memcpy)}`,
    plain <= 5 * memcpy,
  );
  const bound = plain + 1.2 * zlib;
  limit(
    'the same gzipped',
    milliseconds(gzip),
    `zlib ${version} level 1 ${milliseconds(zlib)}`,
    `≤ plain + 1.2 × zlib = ${milliseconds(bound)}`,
    gzip <= bound,
  );
  return many;
};

const gzippedRows = async (plain, gzip, sample) => {
  const { zlib, version } = await ofBytes('rows', (await ask(sample)).body);
  const bound = plain.one.median + 1.2 * zlib;
  limit(
    '1,000 rows of 22 columns gzipped, one connection',
    milliseconds(gzip.one.median),
    `zlib ${version} level 1 ${milliseconds(zlib)}`,
    `≤ plain + 1.2 × zlib = ${milliseconds(bound)}`,
    gzip.one.median <= bound,
  );
};

const groupCost = ({ one, sixteen }) =>
  limit(
    'rows per area: processor time of each at sixteen connections',
    milliseconds(sixteen.processor),
    `at one ${milliseconds(one.processor)}`,
    'no more than at one (10 % are noise)',
    sixteen.processor <= 1.1 * one.processor,
  );

const report = (rows, first, inside, loadLimit, mornings) => {
  const versions = `${execFileSync(bridge, ['--version']).toString().trim()}, @sap/cds 9.9.3 on @cap-js/sqlite 2.4.2, Node.js ${process.version}`;
  return [
    `${options.note}${options.note && '\n\n'}${machine('fast measurement')}, with the load on the same processors; ${versions}. ${rows} rows of \`${TABLE}\` (130 periods × 100 areas × 3 × 6).`,
    table(
      ['work', 'bridge, one', 'CAP, one', 'bridge, requests/s at sixteen', 'CAP', 'bridge to CAP, one / sixteen', 'aim', 'met'],
      first,
    ),
    notMet([...first, ...limits]),
    inside,
    loadLimit,
    table(['work', 'bridge', 'beside it', 'aim', 'met'], limits),
    mornings,
  ].join('\n\n');
};

const publish = (text) => {
  console.log(text);
  if (options.markdown === undefined) return;
  const document = readFileSync(options.markdown, 'utf8');
  const [from, to] = MARKS.map((mark) => document.indexOf(mark));
  if (from < 0 || to < from) throw new Error(`${options.markdown} has no lines ${MARKS.join(' and ')}`);
  writeFileSync(options.markdown, `${document.slice(0, from)}${MARKS[0]}\n\n${text}\n\n${document.slice(to)}`);
};

const main = async () => {
  const bridgeProgram = await startBoth();
  const rows = await allRows(`${ours}/Data`);
  const cap = await startCap(rows);
  tell(`${rows.length} rows are in both`);
  const pick = (row) => SHOWN.map((name) => row[name]);
  const theirRows = await allRows(`${theirs}/ShownRows`);
  if (!isDeepStrictEqual(rows.map(pick), theirRows.map(pick))) throw new Error('not all rows are equal');
  const distinct = (name) => [...new Set(rows.map((row) => row[name]))];
  const whole = Object.keys(rows[0]).filter((name) => !name.startsWith('@'));
  const prepared = await prepare(kinds({ periods: distinct('Periode'), areas: distinct('Område'), whole }));
  const measured = [];
  for (const one of prepared) measured.push(await againstCap(one, bridgeProgram, cap));
  const of = (id) => measured[prepared.findIndex(({ kind }) => kind.id === id)].left;
  const inside = await insideDuckDb(prepared, measured);
  measured.push(await paging());
  const documents = await readyDocuments(bridgeProgram, cap, measured[0].left.sixteen.rate);
  await stop(cap);
  await gzippedRows(of('wide'), of('gzip'), prepared.find(({ kind }) => kind.id === 'wide').ourAddresses[0]);
  groupCost(of('groups'));
  const page = await largePage(rows.length);
  await pagesOfNginx();
  await sortedPages();
  await smallBesideLarge(rows);
  await stop(bridgeProgram);
  await largeTable();
  await manyTables();
  await manyGauges();
  if (options.large) await longTable();
  publish(
    report(
      rows.length,
      measured.map(({ row }) => row),
      inside,
      documents.text,
      morning({ ...documents, rows: of('gzip').sixteen, page }),
    ),
  );
};

await whole(main, folder);
