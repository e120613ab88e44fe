// Every text of Power Query that the bridge gives out, read by Microsoft's parser, and every JSON file of a project against
// Microsoft's schemas.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { inflateRawSync } from "node:zlib";
import parser from "@microsoft/powerquery-parser";
import Ajv from "ajv";
import addFormats from "ajv-formats";

const [, , address] = process.argv;
const ADDRESSES = "https://developer.microsoft.com/json-schemas/";
const FOLDER = new URL("../../schemas/powerbi/", import.meta.url);
const CHOICES = [
  "y25i01/Kommuner",
  "y25i01/Kommuner?$filter=" + encodeURIComponent("Område eq 'O''Hara \"x\" ]]> #(lf)'"),
  "y25i01/" + encodeURIComponent("Fordelt_på_Køn") + "?$select=" + encodeURIComponent("Periode,Område,Antal_ledige_personer"),
  "y25i01/Data?$top=5&$orderby=Periode",
  "y30r21/Hovedtal",
];

async function get(path) {
  const answer = await fetch(address + path);
  assert.equal(answer.status, 200, `${path}: ${answer.status}`);
  return Buffer.from(await answer.arrayBuffer());
}

async function parses(name, text) {
  const task = await parser.TaskUtils.tryLexParse(parser.DefaultSettings, text.replace(/^\ufeff/, ""));
  assert.ok(parser.TaskUtils.isParseStageOk(task), `${name}: ${task.error?.message}\n${text}`);
}

/** The files of a zip archive, from its central directory. */
function unzipped(bytes) {
  const files = new Map();
  let at = bytes.readUInt32LE(bytes.length - 6);
  while (bytes.readUInt32LE(at) === 0x02014b50) {
    const [packed, nameLength, extra, comment] = [bytes.readUInt32LE(at + 20), ...[28, 30, 32].map((offset) => bytes.readUInt16LE(at + offset))];
    const [local, name] = [bytes.readUInt32LE(at + 42), bytes.toString("utf8", at + 46, at + 46 + nameLength)];
    const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    files.set(name, inflateRawSync(bytes.subarray(start, start + packed)).toString("utf8"));
    at += 46 + nameLength + extra + comment;
  }
  return files;
}

/** The queries of a model: the lines of each partition and policy, without their indentation. */
function partitions(model) {
  const found = [];
  const lines = model.split("\r\n");
  lines.forEach((line, position) => {
    if (!/^\t*(source|sourceExpression) =$/.test(line)) return;
    const end = lines.findIndex((other, later) => later > position && other.trim() === "");
    found.push(lines.slice(position + 1, end).join("\n"));
  });
  return found;
}

function schemas() {
  const loadSchema = async (uri) => JSON.parse(readFileSync(new URL(uri.replace(ADDRESSES, "").replace(/#.*/, ""), FOLDER)));
  const ajv = new Ajv({ strict: false, loadSchema });
  addFormats(ajv);
  return ajv;
}

async function project(path) {
  const ajv = schemas();
  let queries = 0;
  for (const [name, text] of unzipped(await get(path))) {
    if (name.endsWith(".tmdl")) {
      for (const query of partitions(text)) {
        await parses(name, query);
        queries += 1;
      }
      continue;
    }
    const content = JSON.parse(text);
    const validate = await ajv.compileAsync({ $ref: content.$schema });
    assert.ok(validate(content), `${name}: ${JSON.stringify(validate.errors)}`);
  }
  assert.ok(queries >= 4, `${queries} queries in ${path}`);
}

async function main() {
  for (const choice of CHOICES) {
    const [path, options] = choice.split("?");
    const query = options ? `?${options}` : "";
    await parses(choice, (await get(`/open/${path}.m${query}`)).toString());
    const odc = (await get(`/open/${path}.odc${query}`)).toString();
    const mashup = /<odc:PowerQueryMashupData>(.*?)<\/odc:PowerQueryMashupData>/s.exec(odc)[1];
    const unescaped = mashup.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&quot;/g, '"').replace(/&apos;/g, "'").replace(/&#13;/g, "\r").replace(/&amp;/g, "&");
    await parses(`${choice}.odc`, /<!\[CDATA\[(.*?)\]\]>/s.exec(unescaped)[1]);
    await project(`/open/${path}.pbip.zip${query}`);
  }
  await project("/open/y25i01/Kommuner.pbip.zip?trinvis=ja");
  const valg = CHOICES.map((choice) => `valg=${encodeURIComponent(choice)}`).join("&");
  await project(`/open/samling.pbip.zip?${valg}`);
  const connector = unzipped(await get("/open/JobindsatsBridge.mez"));
  await parses("the connector", connector.get("JobindsatsBridge.pq"));
  const pbids = JSON.parse((await get("/open/y25i01/Kommuner.pbids")).toString());
  assert.equal((await fetch(pbids.connections[0].details.address.url)).status, 200);
  console.log(`${CHOICES.length} choices, the connector and two larger projects`);
}

await main();
