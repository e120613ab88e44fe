// @odata/client: filters and options as objects, fetch underneath.

import assert from "node:assert/strict";
import odata from "@odata/client";
import * as figures from "./figures.mjs";

const { PERIOD, COUNTRY } = figures;
const { OData } = odata;

async function tryService(serviceEndpoint, name) {
  const client = OData.New4({ serviceEndpoint });
  const rows = client.getEntitySet(name);
  const country = client.newFilter().field("Periode").eq(PERIOD).field("Område").eq(COUNTRY);
  const found = await rows.query(country);
  assert.equal(found.length, 1);
  figures.publishedRow(found[0]);
  assert.equal(await rows.count(country), 1);
  figures.publishedRow(await rows.retrieve({ Periode: PERIOD, Område_id: "T" }));
  await sortedAndLimited(client, rows);
  await refusal(client, name);
}

async function sortedAndLimited(client, rows) {
  const wanted = client.newFilter().field("Periode").eq(PERIOD).field("Område").in(["København", "Køge", "Ærø"]);
  const options = client.newOptions().filter(wanted).select(["Område", "Antal_ledige_personer"]);
  const found = await rows.query(options.orderby("Antal_ledige_personer", "desc").top(2));
  assert.deepEqual(found.map((row) => row.Område), ["København", "Køge"]);
}

async function refusal(client, collection) {
  const params = client.newOptions().filter("Findes_ikke eq 1");
  const answer = await client.newRequest({ collection, params });
  assert.match(answer.error.message, /Findes_ikke.*findes ikke/);
}

async function nextLinks(serviceEndpoint, collection) {
  const client = OData.New4({ serviceEndpoint });
  const params = client.newOptions().count(true).select(["Periode", "Område_id"]);
  const first = await client.newRequest({ collection, params });
  assert.ok(first.value.length < first["@odata.count"], "the first page holds everything");
  const next = await (await fetch(first["@odata.nextLink"])).json();
  assert.equal(next["@odata.count"], first["@odata.count"]);
  assert.notDeepEqual(next.value[0], first.value[0]);
}

await tryService(figures.TABLE, "Hovedtal");
const { value: sets } = await (await fetch(figures.CATALOGUE)).json();
const wide = figures.wideSet(sets.map((set) => set.name));
await tryService(figures.CATALOGUE, wide);
await nextLinks(figures.TABLE, "Kommuner");
await nextLinks(figures.CATALOGUE, wide);
