// @sap-ux/edmx-parser: $metadata as objects, as SAP's Fiori tools read it. Of annotations it reads only those that stand in
// blocks of their own, not those inside an element, where the service writes them.

import assert from "node:assert/strict";
import edmx from "@sap-ux/edmx-parser";
import * as figures from "./figures.mjs";

async function tryService(address, chosen) {
  const { schema, references } = edmx.parse(await figures.metadata(address));
  const set = schema.entitySets.find((each) => chosen(each.name));
  const type = schema.entityTypes.find((each) => each.fullyQualifiedName === set.entityTypeName);
  assert.deepEqual(type.keys.map((key) => key.name), ["Periode", "Område_id"]);
  const columns = new Map(type.entityProperties.map((column) => [column.name, column]));
  assert.equal(columns.get("Område").type, "Edm.String");
  assert.equal(columns.get("Fra").type, "Edm.Date");
  const persons = columns.get("Antal_ledige_personer");
  assert.deepEqual([persons.type, persons.scale, persons.nullable], ["Edm.Decimal", "variable", true]);
  assert.ok(references.some((reference) => reference.alias === "Measures"));
  return schema;
}

const catalogue = await tryService(figures.CATALOGUE, (name) => name.startsWith("Y25I01_"));
assert.ok(catalogue.entitySets.some((set) => set.name === "Datasets"));
const table = await tryService(figures.TABLE, (name) => name === "Hovedtal");
const observations = table.entityTypes.find((type) => type.name === "ObservationsType");
const navigations = observations.navigationProperties.map((navigation) => navigation.name);
for (const navigation of ["OmrådeCode", "KønCode", "MeasureCode", "PeriodeCode"]) {
  assert.ok(navigations.includes(navigation), `${navigation} among ${navigations}`);
}
assert.ok(table.singletons.some((singleton) => singleton.name === "Properties"));
