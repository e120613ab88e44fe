// odata2ts: types and a client generated from $metadata, over fetch.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { FetchClient } from "@odata2ts/http-client-fetch";
import { QStringPath } from "@odata2ts/odata-query-objects";
import * as figures from "./figures.mjs";

const { PERIOD, COUNTRY } = figures;
const require = createRequire(import.meta.url);

async function generated(name, address) {
  const folder = figures.emptyFolder(`odata2ts/${name}`);
  const source = figures.write(`${folder}metadata.xml`, await figures.metadata(address));
  await figures.generate("odata2ts", "-s", source, "-o", folder, "-m", "all", "-e", "js", "-name", name, "-n");
  const module = require(`${folder}${name}Service.js`);
  return new module[`${name}Service`](new FetchClient(), address.replace(/\/$/, ""));
}

async function onePublishedRow(rows) {
  const answer = await rows.query((builder, row) =>
    builder.filter(row.Periode.eq(PERIOD), row.Område.eq(COUNTRY)).count(),
  );
  assert.equal(answer.status, 200);
  assert.equal(answer.data["@odata.count"], 1);
  figures.publishedRow(answer.data.value[0]);
}

async function sortedAndLimited(rows) {
  const answer = await rows.query((builder, row) =>
    builder
      .select("Område", "Antal_ledige_personer")
      .filter(row.Periode.eq(PERIOD), row.Områdeniveau.eq("Kommune"), row.Antal_ledige_personer.ne(null))
      .filter(row.Område.startsWith("K").or(row.Område.toLower().contains("ø")))
      .orderBy(row.Antal_ledige_personer.desc())
      .top(5)
      .count(),
  );
  const { value } = answer.data;
  assert.equal(value.length, 5);
  assert.ok(answer.data["@odata.count"] > 5);
  assert.equal(value[0].Område, "København");
  const numbers = value.map((row) => row.Antal_ledige_personer);
  assert.deepEqual(numbers, [...numbers].sort((a, b) => b - a));
}

async function byKey(service, name) {
  const answer = await service[name]({ Periode: PERIOD, Område_id: "T" }).query();
  figures.publishedRow(answer.data);
}

async function refusal(rows) {
  await figures.refused(
    () => rows.query((builder) => builder.filter(new QStringPath("Findes_ikke").eq("1"))),
    (error) => error.message,
  );
}

const table = await generated("table", figures.TABLE);
const catalogue = await generated("catalogue", figures.CATALOGUE);
const names = Object.getOwnPropertyNames(Object.getPrototypeOf(catalogue));
for (const [service, name] of [[table, "Hovedtal"], [catalogue, figures.wideSet(names)]]) {
  await onePublishedRow(service[name]());
  await sortedAndLimited(service[name]());
  await byKey(service, name);
  await refusal(service[name]());
}
