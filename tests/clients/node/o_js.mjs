// odata (o.js): a thin layer over fetch; options are written by hand.

import assert from "node:assert/strict";
import ojs from "odata";
import * as figures from "./figures.mjs";

const { PERIOD, COUNTRY } = figures;

async function tryService(address, name) {
  const service = ojs.o(address);
  const $filter = `Periode eq '${PERIOD}' and Område eq '${COUNTRY}'`;
  const found = await service.get(name).query({ $filter });
  assert.equal(found.length, 1);
  figures.publishedRow(found[0]);
  figures.publishedRow(await service.get(`${name}(Periode='${PERIOD}',Område_id='T')`).query());
  const top = await service
    .get(name)
    .query({ $filter: `Periode eq '${PERIOD}' and endswith(Område,'ø')`, $orderby: "Område desc", $top: 2, $select: "Område" });
  assert.deepEqual(top.map((row) => row.Område), ["Ærø", "Sorø"]);
  const [answer] = [await service.get(`${name}/$count`).fetch({ $filter })].flat();
  assert.equal(await answer.text(), "1");
  await refusal(service, name);
}

async function refusal(service, name) {
  const answer = await service.get(name).query({ $filter: "Findes_ikke eq 1" }).catch((response) => response);
  assert.equal(answer.status, 400);
  assert.match((await answer.json()).error.message, /Findes_ikke.*findes ikke/);
}

await tryService(figures.TABLE, "Hovedtal");
const sets = await ojs.o(figures.CATALOGUE).get("").query();
await tryService(figures.CATALOGUE, figures.wideSet(sets.map((set) => set.name)));
