// odata-csdl and odata-openapi of the OData committee: $metadata from XML to JSON, and from either form to OpenAPI.

import assert from "node:assert/strict";
import csdl from "odata-csdl";
import openapi from "odata-openapi";
import * as figures from "./figures.mjs";

async function tryService(address, chosen) {
  const fromXml = csdl.xml2json(await figures.metadata(address));
  const asJson = JSON.parse(await figures.metadata(address, "application/json"));
  const described = [fromXml, asJson].map((document) => describe(document, address));
  assert.deepEqual(Object.keys(described[0].paths).sort(), Object.keys(described[1].paths).sort());
  for (const { paths, components } of described) {
    const path = Object.keys(paths).find((each) => chosen(each.slice(1)));
    assert.ok(paths[path].get, `${path} can be read`);
    for (const change of ["post", "put", "patch", "delete"]) {
      assert.ok(!paths[path][change], `${path} says that ${change} is offered`);
    }
    const type = Object.values(components.schemas).find((each) => each.properties?.Antal_ledige_personer);
    assert.ok(type.properties.Område && type.properties.Fra.format === "date", Object.keys(type.properties));
  }
}

function describe(document, address) {
  const messages = [];
  const { host, pathname } = new URL(address);
  const description = openapi.csdl2openapi(document, { messages, scheme: "http", host, basePath: pathname });
  assert.deepEqual(messages, []);
  return description;
}

await tryService(figures.TABLE, (path) => path === "Hovedtal");
await tryService(figures.CATALOGUE, (path) => path.startsWith("Y25I01_"));
