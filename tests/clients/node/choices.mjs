// The ten choices of rows with which every kind of file is tried, and what the service gives for them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import JSZip from "jszip";

export const SERVICE = process.argv[2].replace(/\/$/, "");
export const CHOICES = JSON.parse(readFileSync(new URL("../choices.json", import.meta.url)));

/** The choices that a Power BI project can hold: not the set that has codes alone. */
export const MODELLED = CHOICES.filter((choice) => choice.set !== "Observations");

/** The address of a choice below a path of the service, in the form of the ending. */
export function address(root, { table, set, options }, ending = "") {
  const query = Object.entries(options).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return `${SERVICE}${root}/${table}/${encodeURIComponent(set)}${ending}${query.length ? "?" : ""}${query.join("&")}`;
}

export async function download(url) {
  const answer = await fetch(url);
  const bytes = Buffer.from(await answer.arrayBuffer());
  assert.equal(answer.status, 200, `${url}: ${bytes}`);
  return bytes;
}

/** The files of a zip archive as bytes, in its order. */
export async function unzipped(bytes) {
  const archive = await JSZip.loadAsync(bytes, { checkCRC32: true });
  const files = Object.values(archive.files).filter((file) => !file.dir);
  return new Map(await Promise.all(files.map(async (file) => [file.name, await file.async("nodebuffer")])));
}

/** What the part of a workbook with its queries holds, as [MS-QDEFF] describes it. */
export async function mashup(part) {
  assert.deepEqual([...part.subarray(0, 2)], [0xff, 0xfe], "UTF-16 with its mark");
  const [, declaration, base64] = /^\ufeff(<\?xml .*?\?>)<DataMashup xmlns="http:\/\/schemas.microsoft.com\/DataMashup">(.*)<\/DataMashup>$/s.exec(part.toString("utf16le"));
  const bytes = Buffer.from(base64, "base64");
  const sized = (from, at = 0) => from.subarray(at + 4, at + 4 + from.readUInt32LE(at));
  const archive = sized(bytes, 4);
  const permissions = sized(bytes, 8 + archive.length);
  const metadata = sized(bytes, 12 + archive.length + permissions.length);
  const items = sized(metadata, 4);
  return {
    declaration,
    versions: [bytes.readUInt32LE(0), metadata.readUInt32LE(0)],
    files: await unzipped(archive),
    permissions: permissions.toString(),
    items: items.toString(),
    content: sized(metadata, 8 + items.length),
  };
}
