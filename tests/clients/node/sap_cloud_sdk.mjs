// SAP Cloud SDK: classes generated from $metadata and its fluent requests.
//
// One limit of this client, held here so that a release without it is noticed: its $select and $orderby send letters beyond ASCII
// unencoded, as Latin-1, which is no valid address; so both are tried with other columns, and $filter with all.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { desc } from "@sap-cloud-sdk/odata-v4";
import * as figures from "./figures.mjs";

const { PERIOD, COUNTRY, PERSONS, FULL_TIME } = figures;
const require = createRequire(import.meta.url);

async function generated(name, document) {
  const input = figures.emptyFolder(`sap/${name}-metadata`);
  const output = figures.emptyFolder(`sap/${name}`);
  figures.write(`${input}${name}.xml`, document);
  await figures.generate("generate-odata-client", "--input", input, "--outputDir", output, "--transpile", "--skipValidation");
  return require(`${output}${name}/index.js`)[name]();
}

async function limitOfLetters(rows, address) {
  const { schema } = rows;
  const areas = rows.requestBuilder().getAll().select(schema.OMRÅDE).top(1).execute(destination(address));
  await assert.rejects(areas, (error) => error.rootCause?.response?.status === 400);
}

function destination(address) {
  return { url: address.replace(/\/$/, "") };
}

async function onePublishedRow(rows, address) {
  const { schema } = rows;
  const found = await rows
    .requestBuilder()
    .getAll()
    .filter(schema.PERIODE.equals(PERIOD), schema.OMRÅDE.equals(COUNTRY))
    .execute(destination(address));
  assert.equal(found.length, 1);
  assert.equal(found[0].antalLedigePersoner.toNumber(), PERSONS);
  assert.equal(found[0].antalLedigeFuldtidspersoner.toNumber(), FULL_TIME);
  assert.equal(found[0].fra.format("YYYY-MM-DD"), "2026-06-01");
}

async function byKey(rows, address) {
  const row = await rows.requestBuilder().getByKey(PERIOD, "T").execute(destination(address));
  assert.equal(row.område, COUNTRY);
}

async function countedAndSorted(rows, address) {
  const { schema } = rows;
  const municipalities = () =>
    rows.requestBuilder().getAll().filter(schema.PERIODE.equals(PERIOD), schema.OMRÅDENIVEAU.equals("Kommune"));
  const count = await municipalities().count().execute(destination(address));
  const all = await municipalities().select(schema.PERIODE, schema.ANTAL_LEDIGE_PERSONER).execute(destination(address));
  assert.equal(count, all.length);
  assert.ok(all.every((row) => row.periode === PERIOD));
  const top = await municipalities()
    .orderBy(desc(schema.ANTAL_LEDIGE_PERSONER))
    .top(3)
    .skip(1)
    .execute(destination(address));
  const numbers = top.map((row) => row.antalLedigePersoner.toNumber());
  assert.equal(numbers.length, 3);
  assert.deepEqual(numbers, [...numbers].sort((a, b) => b - a));
}

async function refusal(rows, address) {
  const request = () =>
    rows.requestBuilder().getAll().addCustomQueryParameters({ $orderby: "Findes_ikke" }).execute(destination(address));
  await figures.refused(request, (error) => JSON.stringify(error.rootCause?.response?.data));
}

const table = await generated("table", await figures.metadata(figures.TABLE));
const whole = await figures.metadata(figures.CATALOGUE);
const catalogue = await generated("catalogue", whole);
const wide = Object.keys(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(catalogue))).filter((name) =>
  name.toLowerCase().startsWith("y25I01_".toLowerCase()),
);
assert.equal(wide.length, 1);
for (const [rows, address] of [
  [table.hovedtalApi, figures.TABLE],
  [catalogue[wide[0]], figures.CATALOGUE],
]) {
  await onePublishedRow(rows, address);
  await byKey(rows, address);
  await countedAndSorted(rows, address);
  await refusal(rows, address);
  await limitOfLetters(rows, address);
}
