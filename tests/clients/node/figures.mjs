// What Jobindsats.dk has published for June 2026, and where the service stands; the same for every client.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const PERIOD = "2026M06";
export const COUNTRY = "Hele landet";
export const PERSONS = 110854;
export const FULL_TIME = 89907;

if (process.argv.length !== 3) {
  console.error(`usage: ${process.argv[1]} http://host:port`);
  process.exit(2);
}
const root = process.argv[2].replace(/\/$/, "");
export const CATALOGUE = `${root}/odata/`;
export const TABLE = `${root}/odata/jobindsats/y25i01/`;

/** The table's own set among those of the catalogue service. */
export function wideSet(names) {
  const found = [...names].filter((name) => name.startsWith("Y25I01_"));
  assert.equal(found.length, 1, `one set of Y25I01 among ${[...names]}`);
  return found[0];
}

export async function metadata(service, accept = "application/xml") {
  const answer = await fetch(`${service}$metadata`, { headers: { Accept: accept } });
  assert.equal(answer.status, 200);
  return answer.text();
}

export function publishedRow(row) {
  assert.equal(Number(row.Antal_ledige_personer), PERSONS);
  assert.equal(Number(row.Antal_ledige_fuldtidspersoner), FULL_TIME);
  assert.equal(row.Område, COUNTRY);
}

/** A refused request: what the client makes of it must hold the service's own sentence. */
export async function refused(request, words) {
  await assert.rejects(request, (error) => {
    const said = words(error);
    assert.match(said, /Findes_ikke.*findes ikke/, said);
    return true;
  });
}

/** An empty folder for generated code, beside the packages that the code needs. */
export function emptyFolder(name) {
  const folder = fileURLToPath(new URL(`generated/${name}/`, import.meta.url));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Runs the command of a package; what it says is shown only if it fails. */
export async function generate(command, ...values) {
  const program = fileURLToPath(new URL(`node_modules/.bin/${command}`, import.meta.url));
  const here = fileURLToPath(new URL(".", import.meta.url));
  try {
    await promisify(execFile)(program, values, { cwd: here });
  } catch (error) {
    throw new Error(`${command} failed:\n${error.stdout}${error.stderr}`);
  }
}

export function write(path, text) {
  writeFileSync(path, text);
  return path;
}
