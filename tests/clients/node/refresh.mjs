// What a refresh would do: every text of Power Query that the bridge gives for a choice is done as Power Query does it, and gives the rows
// that stand in the workbook's sheet.

import assert from "node:assert/strict";
import xlsx from "xlsx";
import { address, CHOICES, download, mashup, MODELLED, SERVICE, unzipped } from "./choices.mjs";
import { evaluated } from "./m.mjs";
import { partitions } from "./tmdl.mjs";

/** The rows of the first sheet, with dates and instants as a feed writes them, without its zone. */
function sheetRows(bytes) {
  const book = xlsx.read(bytes, { cellNF: true });
  const sheet = book.Sheets[book.SheetNames[0]];
  const [head, ...rows] = xlsx.utils.sheet_to_json(sheet, { header: 1, defval: null });
  const text = (row, column, value) => {
    const format = sheet[xlsx.utils.encode_cell({ r: row + 1, c: column })]?.z;
    if (typeof value !== "number" || !xlsx.SSF.is_date(format)) return value;
    return xlsx.SSF.format(format.includes("h") ? "yyyy-mm-dd\\Thh:mm:ss" : "yyyy-mm-dd", value);
  };
  return rows.map((row, index) => Object.fromEntries(head.map((name, column) => [name, text(index, column, row[column])])));
}

/** The rows of a query, of which a project may have more columns than a sheet. */
async function same(what, table, rows) {
  const found = await table.rows();
  assert.equal(found.length, rows.length, what);
  found.forEach((row, index) => assert.deepEqual(Object.fromEntries(Object.keys(rows[0]).map((name) => [name, row[name]])), rows[index], `${what}, row ${index}`));
}

/** The text that reads the first table of a project, and the parameters beside it. */
async function project(url) {
  const files = await unzipped(await download(url));
  const texts = (ending) => [...files].filter(([name]) => name.endsWith(ending)).map(([, bytes]) => bytes.toString());
  const [first] = texts(".tmdl").filter((text) => /^\s*source =/m.test(text) && text.includes("/jobindsats/"));
  const parameters = texts("expressions.tmdl").flatMap((text) => [...text.matchAll(/^expression (\w+) = (.*?)\r?$/gm)]);
  const given = await Promise.all(parameters.map(async ([, name, text]) => [name, await evaluated(name, text)]));
  return evaluated(url, partitions(first).at(-1), Object.fromEntries(given));
}

/** What a person does with the connector: opens it at the address of the bridge, a subject, a measurement and a set. */
async function connector(measurement, set) {
  const files = await unzipped(await download(`${SERVICE}/open/JobindsatsBridge.mez`));
  const root = await (await evaluated("the connector", files.get("JobindsatsBridge.pq").toString()))["JobindsatsBridge.Contents"];
  for (const folder of await (await root(`${SERVICE}/odata`)).rows()) {
    const [found] = (await (await folder.Data()).rows()).filter((row) => row.Key === measurement);
    if (!found) continue;
    assert.deepEqual(Object.keys(found), ["Name", "Key", "Data", "ItemKind", "ItemName", "IsLeaf"]);
    const [{ Data }] = (await (await found.Data()).rows()).filter((row) => row.Name === set);
    return Data;
  }
  assert.fail(`${measurement} is under no subject`);
}

const workbook = (choice) => download(address("/open", choice, ".xlsx"));

for (const choice of CHOICES) {
  const bytes = await workbook(choice);
  const rows = sheetRows(bytes);
  const queries = await mashup((await unzipped(bytes)).get("customXml/item1.xml"));
  const members = await evaluated("the workbook", queries.files.get("Formulas/Section1.m").toString());
  await same(`the workbook of ${choice.what}`, await Object.values(members)[0], rows);
  await same(`.m of ${choice.what}`, await evaluated(".m", (await download(address("/open", choice, ".m"))).toString()), rows);
  if (MODELLED.includes(choice)) await same(`the project of ${choice.what}`, await project(address("/open", choice, ".pbip.zip")), rows);
}
const [{ table, set }, whole] = CHOICES;
const window = { table, set, options: { $filter: "Fra ge 2020-01-01" } };
await same("an incremental refresh", await project(`${address("/open", { table, set, options: {} }, ".pbip.zip")}?trinvis=ja`), sheetRows(await workbook(window)));
// The connector leaves instants as the feed sends them.
const withZone = await (await connector(whole.table, whole.set)).rows();
const read = { rows: () => withZone.map((row) => ({ ...row, Status: row.Status, Opdateret: row.Opdateret.slice(0, 19) })) };
await same("the connector", read, sheetRows(await workbook(whole)));
console.log(`${CHOICES.length} choices were refreshed from workbook, text and project, and a set from the connector`);
