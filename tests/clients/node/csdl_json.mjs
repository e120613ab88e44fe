// odata-csdl of the OData committee as a second writer of CSDL JSON: what it makes of our XML is what we write, for the catalogue
// and for every table, annotations included.

import assert from "node:assert/strict";
import csdl from "odata-csdl";
import * as figures from "./figures.mjs";

/** Without what both forms may leave out: a scale of its own is any, and CSDL JSON begins with version 4.01. */
function essence(value) {
  if (Array.isArray(value)) return value.map((each) => essence(each));
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([key, inner]) => key !== "$Version" && !(key === "$Scale" && inner === "variable"));
  return Object.fromEntries(kept.map(([key, inner]) => [key, essence(inner)]));
}

async function bothForms(address) {
  const fromXml = csdl.xml2json(await figures.metadata(address));
  const asJson = JSON.parse(await figures.metadata(address, "application/json"));
  assert.equal(asJson.$Version, "4.01");
  assert.deepEqual(essence(fromXml), essence(asJson), address);
}

const { value: tables } = await (await fetch(`${figures.CATALOGUE}Datasets?$select=Address`)).json();
assert.ok(tables.length > 90, `${tables.length} tables`);
await bothForms(figures.CATALOGUE);
for (const { Address } of tables) await bothForms(`${figures.CATALOGUE}${Address}`);
