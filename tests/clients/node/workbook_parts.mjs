// The parts of a workbook beside those of one that Microsoft's connected-workbooks writes of the same query and rows: what kind each
// part is and what it leads to, the connection, the query table, the table, and the binary with the query. Its template was saved by Excel.

import assert from "node:assert/strict";
import { posix } from "node:path";
import { DOMParser } from "@xmldom/xmldom";
import { workbookManager } from "@microsoft/connected-workbooks";
import xlsx from "xlsx";
import { address, CHOICES, download, mashup, unzipped } from "./choices.mjs";

const RELATIONSHIPS = ["_rels/.rels", "xl/_rels/workbook.xml.rels", "xl/worksheets/_rels/sheet1.xml.rels", "xl/tables/_rels/table1.xml.rels", "customXml/_rels/item1.xml.rels"];
// A second item that Excel's template has beside the query's.
const TEMPLATE_ONLY = "customXml/item2.xml";
const MARKUP = /^(xmlns($|:)|mc:|xr\d*:)/;

/** An element as plain values, without revision marks and without what a comparison leaves out, as in `dbPr@refreshOnLoad`. */
function tree(element, without = []) {
  const name = element.localName;
  const kept = [...element.attributes].filter((attribute) => !MARKUP.test(attribute.name) && !without.includes(`${name}@${attribute.name}`));
  const attributes = Object.fromEntries(kept.map((attribute) => [attribute.name, attribute.value]).sort());
  const children = [...element.childNodes].filter((child) => child.nodeType === 1).map((child) => tree(child, without));
  return { name, space: element.namespaceURI, attributes, children, text: children.length || without.includes(name) ? "" : element.textContent };
}

const parsed = (text) => new DOMParser().parseFromString(text.toString().replace(/^\ufeff/, ""), "text/xml").documentElement;
const all = (element, name) => [...element.getElementsByTagName(name)];
const attributes = (element, ...names) => names.map((name) => element.getAttribute(name));

/** Of what kind each part is. */
function kinds(files) {
  const types = parsed(files.get("[Content_Types].xml"));
  const byEnding = new Map(all(types, "Default").map((type) => attributes(type, "Extension", "ContentType")));
  const byName = new Map(all(types, "Override").map((type) => attributes(type, "PartName", "ContentType")));
  return new Map([...files.keys()].map((name) => [name, byName.get(`/${name}`) ?? byEnding.get(name.split(".").at(-1))]));
}

/** What a part leads to, as kinds and paths. */
function leads(files, name) {
  const folder = posix.join(posix.dirname(name), "..");
  const found = all(parsed(files.get(name)), "Relationship").map((lead) => attributes(lead, "Type", "Target"));
  return new Set(found.map(([type, target]) => `${type} ${posix.join(folder, target)}`));
}

/** The names and values of a connection's text. */
function connection(files) {
  const [text, command] = attributes(all(parsed(files.get("xl/connections.xml")), "dbPr")[0], "connection", "command");
  const pairs = text.split(";").filter(Boolean).map((pair) => pair.split(/=(.*)/s).slice(0, 2));
  return { command, ...Object.fromEntries(pairs.map(([name, value]) => [name, value.replace(/^"(.*)"$/, "$1")])) };
}

function samePackage(ours, theirs) {
  const [kindsOfOurs, kindsOfTheirs] = [kinds(ours), kinds(theirs)];
  for (const [name, kind] of kindsOfOurs) {
    assert.ok(kind, `${name} is of no kind`);
    if (kindsOfTheirs.has(name)) assert.equal(kind, kindsOfTheirs.get(name), name);
  }
  for (const name of RELATIONSHIPS) {
    const wanted = [...leads(theirs, name)].filter((lead) => !lead.endsWith(TEMPLATE_ONLY));
    const found = leads(ours, name);
    assert.ok(wanted.length && wanted.every((lead) => found.has(lead)), `${name}: ${[...found]} lacks some of ${wanted}`);
    for (const target of [...found].map((lead) => lead.split(" ")[1])) assert.ok(ours.has(target), `${name} leads to ${target}`);
  }
}

function sameParts(ours, theirs) {
  const same = (name, ...without) => assert.deepEqual(tree(parsed(ours.get(name)), without), tree(parsed(theirs.get(name)), without), name);
  // Theirs is of an older Excel, and says again by default that it is not refreshed on opening; the text of the connection is compared below.
  same("xl/connections.xml", "connection@refreshedVersion", "dbPr@refreshOnLoad", "dbPr@connection");
  const [{ "Extended Properties": properties, ...rest }, wanted] = [connection(ours), connection(theirs)];
  assert.deepEqual([rest, properties], [wanted, ""]);
  same("xl/queryTables/queryTable1.xml", "queryTable@refreshOnLoad");
  // The template's table keeps its name and its look.
  same("xl/tables/table1.xml", "table@name", "table@displayName", "tableColumn@dataDxfId", "tableStyleInfo@name");
  same("customXml/itemProps1.xml", "datastoreItem@ds:itemID");
  const books = [ours, theirs].map((files) => parsed(files.get("xl/workbook.xml")));
  const [range, wantedRange] = books.map((book) => tree(all(book, "definedName")[0]));
  const cells = (name) => ({ ...name, text: name.text.replace(/^.*!/, "") });
  assert.deepEqual(cells(range), cells(wantedRange));
  const order = (book) => [...book.childNodes].map((child) => child.localName).filter((name) => ["sheets", "definedNames", "calcPr"].includes(name));
  assert.deepEqual(...books.map(order));
}

async function sameQuery(ours, theirs) {
  const [query, wanted] = await Promise.all([ours, theirs].map((files) => mashup(files.get("customXml/item1.xml"))));
  for (const what of ["declaration", "versions", "permissions", "content"]) assert.deepEqual(query[what], wanted[what], what);
  assert.deepEqual([...query.files.keys()], [...wanted.files.keys()]);
  for (const name of ["[Content_Types].xml", "Config/Package.xml"]) {
    assert.deepEqual(...[query, wanted].map(({ files }) => tree(parsed(files.get(name)), ["Culture"])), name);
  }
  const [items, wantedItems] = [query, wanted].map((each) => itemsOf(parsed(each.items)));
  for (const [path, entries] of wantedItems) {
    assert.ok(items.has(path), `no item ${path}`);
    // What Excel notes of the last refresh stays out, and the template's table has its own name.
    for (const [type, value] of items.get(path)) {
      if (entries.has(type) && type !== "FillTarget") assert.equal(value, entries.get(type), type);
    }
  }
  const [filled] = [...items.values()].filter((entries) => entries.size);
  assert.equal(filled.get("FillTarget"), `s${parsed(ours.get("xl/tables/table1.xml")).getAttribute("name")}`);
}

/** The items of a query's metadata, by their paths. */
function itemsOf(root) {
  assert.equal(root.localName, "LocalPackageMetadataFile");
  const items = all(root, "Item").map((item) => {
    assert.deepEqual([...item.childNodes].map((child) => child.localName), ["ItemLocation", "StableEntries"]);
    const place = ["ItemType", "ItemPath"].map((name) => all(item, name)[0].textContent).join(" ");
    return [place, new Map(all(item, "Entry").map((entry) => attributes(entry, "Type", "Value")))];
  });
  return new Map(items);
}

for (const choice of CHOICES) {
  const bytes = await download(address("/open", choice, ".xlsx"));
  const ours = await unzipped(bytes);
  const section = (await mashup(ours.get("customXml/item1.xml"))).files.get("Formulas/Section1.m").toString();
  const [, queryName, queryMashup] = /^section Section1;\r\n\r\nshared #"([\wæøåÆØÅ]+)" = (.*);$/s.exec(section);
  const book = xlsx.read(bytes);
  const data = xlsx.utils.sheet_to_json(book.Sheets[book.SheetNames[0]], { header: 1, defval: "" });
  const blob = await workbookManager.generateSingleQueryWorkbook({ queryName, queryMashup, refreshOnOpen: false }, { data, config: { promoteHeaders: true } });
  const theirs = await unzipped(Buffer.from(await blob.arrayBuffer()));
  samePackage(ours, theirs);
  sameParts(ours, theirs);
  await sameQuery(ours, theirs);
}
console.log(`${CHOICES.length} workbooks have the parts of Microsoft's`);
