// Every text of Power Query that the bridge gives out, read by Microsoft's parser; every JSON file of a project against Microsoft's
// schemas; and every report by Microsoft's checker of reports.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import Ajv from "ajv";
import addFormats from "ajv-formats";
import { address, CHOICES, download, mashup, MODELLED, SERVICE, unzipped } from "./choices.mjs";
import { parsed } from "./m.mjs";
import { partitions } from "./tmdl.mjs";

const ADDRESSES = "https://developer.microsoft.com/json-schemas/";
const FOLDER = new URL("../../schemas/powerbi/", import.meta.url);
const QUOTED = { table: "y25i01", set: "Kommuner", options: { $filter: `Område eq 'O''Hara "x" ]]> #(lf)'` } };

/** The published schema of an address. */
const schema = (uri) => readFileSync(new URL(uri.replace(ADDRESSES, "").replace(/#.*/, ""), FOLDER));

/** The checker fetches schemas itself: it is given the published ones that are kept here, and must not ask for others. */
https.get = (uri, options, answer) => {
  queueMicrotask(() => answer(Object.assign(Readable.from([schema(String(uri))]), { statusCode: 200, headers: {} })));
  return { on: () => undefined };
};
const { getMetadataProvider, locateReport, runReportValidation } = await import("@microsoft/powerbi-report-authoring-cli");

function validator() {
  const ajv = new Ajv({ strict: false, loadSchema: async (uri) => JSON.parse(schema(uri)) });
  addFormats(ajv);
  return ajv;
}

/** What the checker finds wrong with the project in a folder. */
async function checked(folder) {
  const { errorCount, warningCount, diagnostics } = await runReportValidation({ ...(await locateReport(folder)), provider: await getMetadataProvider() });
  return { found: errorCount + warningCount, said: JSON.stringify(diagnostics) };
}

/** The project in a folder of its own. */
function written(files) {
  const folder = mkdtempSync(join(tmpdir(), "project-"));
  for (const [name, bytes] of files) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
  return join(folder, [...files.keys()][0].split("/")[0]);
}

async function project(url) {
  const ajv = validator();
  const files = await unzipped(await download(url));
  let queries = 0;
  for (const [name, bytes] of files) {
    if (name.endsWith(".tmdl")) {
      for (const query of partitions(bytes.toString())) {
        await parsed(name, query);
        queries += 1;
      }
      continue;
    }
    const content = JSON.parse(bytes);
    const validate = await ajv.compileAsync({ $ref: content.$schema });
    assert.ok(validate(content), `${name}: ${JSON.stringify(validate.errors)}`);
  }
  assert.ok(queries >= 4, `${queries} queries in ${url}`);
  const folder = written(files);
  const { found, said } = await checked(folder);
  assert.equal(found, 0, `${url}: ${said}`);
  return folder;
}

/** That the checker finds what is wrong: a field in a place that the visual does not have. */
async function mistakesAreFound(folder, files) {
  const [name] = [...files.keys()].filter((path) => path.endsWith("visual.json") && files.get(path).includes('"Category"'));
  const path = join(dirname(folder), name);
  writeFileSync(path, readFileSync(path, "utf8").replace('"Category"', '"Kategori"'));
  const { found, said } = await checked(folder);
  assert.ok(found > 0 && said.includes("Kategori"), said);
}

async function texts(choice) {
  await parsed(".m", (await download(address("/open", choice, ".m"))).toString());
  const odc = (await download(address("/open", choice, ".odc"))).toString();
  const part = /<odc:PowerQueryMashupData>(.*?)<\/odc:PowerQueryMashupData>/s.exec(odc)[1];
  const unescaped = part.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&quot;/g, '"').replace(/&apos;/g, "'").replace(/&#13;/g, "\r").replace(/&amp;/g, "&");
  await parsed(".odc", /<!\[CDATA\[(.*?)\]\]>/s.exec(unescaped)[1]);
  const book = await unzipped(await download(address("/open", choice, ".xlsx")));
  await parsed(".xlsx", (await mashup(book.get("customXml/item1.xml"))).files.get("Formulas/Section1.m").toString());
}

for (const choice of [...CHOICES, QUOTED]) await texts(choice);
for (const choice of [...MODELLED, QUOTED]) {
  const folder = await project(address("/open", choice, ".pbip.zip"));
  rmSync(dirname(folder), { recursive: true });
}
const valg = [...MODELLED, QUOTED].map((choice) => `valg=${encodeURIComponent(address("", choice).slice(SERVICE.length + 1))}`).join("&");
for (const larger of ["y25i01/Kommuner.pbip.zip?trinvis=ja", `samling.pbip.zip?${valg}`]) {
  const url = `${SERVICE}/open/${larger}`;
  const folder = await project(url);
  await mistakesAreFound(folder, await unzipped(await download(url)));
  rmSync(dirname(folder), { recursive: true });
}
const connector = await unzipped(await download(`${SERVICE}/open/JobindsatsBridge.mez`));
await parsed("the connector", connector.get("JobindsatsBridge.pq").toString());
const pbids = JSON.parse(await download(`${SERVICE}/open/y25i01/Kommuner.pbids`));
assert.equal((await fetch(pbids.connections[0].details.address.url)).status, 200);
console.log(`${CHOICES.length} choices, the connector and two larger projects`);
