// Writes every dashboard of grafana/ as a literal of the types in Grafana's own kit and has the compiler look at it: a word
// that no enum has, a number for a text and a key that does not exist are errors. Copies with such faults must be refused, or
// the check proves nothing.
//
//   npm ci && npm run check

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const dashboards = join(here, '../../../grafana/dashboards');

// The types are written for builders: enums where JSON has their values, and a method that no JSON has.
const HEAD = `
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import type { Dataquery } from '@grafana/grafana-foundation-sdk/prometheus';
import type * as bargauge from '@grafana/grafana-foundation-sdk/bargauge';
import type * as stat from '@grafana/grafana-foundation-sdk/stat';
import type * as table from '@grafana/grafana-foundation-sdk/table';
import type * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';

type L<T> = T extends string ? \`\${T}\` : T extends number | boolean | null | undefined ? T
  : T extends readonly (infer U)[] ? L<U>[]
  : T extends object ? { [K in keyof T as K extends '_implementsDataqueryVariant' ? never : K]: L<T[K]> } : T;
`;

const FAULTS = {
  'a word that no enum has': (board, panel) => { panel.fieldConfig.defaults.custom.lineInterpolation = 'stepafter'; },
  'a key that no query has': (board, panel) => { panel.targets[0].exprr = 'up'; },
  'a key that no panel has': (board, panel) => { panel.gridpos = panel.gridPos; },
  'an option that no panel has': (board, panel) => { panel.options.legend.displaymode = 'list'; },
  'a number for a text': (board) => { board.uid = 7; },
};

function literal(name, type, value) {
  return `export const ${name}: ${type} = ${JSON.stringify(value)};\n`;
}

function source(name, board) {
  const word = name.replace(/\W/g, '_');
  let text = literal(word, 'L<Dashboard>', board);
  for (const panel of board.panels.filter((it) => it.type !== 'row')) {
    const place = `${word}_${panel.id}`;
    text += literal(`${place}_options`, `Partial<L<${panel.type}.Options>>`, panel.options);
    if (panel.type === 'timeseries') {
      text += literal(`${place}_custom`, 'Partial<L<timeseries.FieldConfig>>', panel.fieldConfig.defaults.custom);
    }
    panel.targets.forEach((target, number) => {
      text += literal(`${place}_target_${number}`, 'L<Dataquery>', target);
    });
  }
  return text;
}

/** What the compiler finds wrong, line by line; each line begins with the name of its set of dashboards. */
function findings(sets) {
  const folder = mkdtempSync(join(here, 'generated-'));
  try {
    for (const [set, boards] of Object.entries(sets)) {
      const text = Object.entries(boards).map(([name, board]) => source(name, board));
      writeFileSync(join(folder, `${set}.ts`), HEAD + text.join('\n'));
    }
    const options = ['--strict', '--noEmit', '--skipLibCheck', '--module', 'nodenext', '--target', 'esnext'];
    const tsc = join(here, 'node_modules/typescript/bin/tsc');
    const files = Object.keys(sets).map((set) => `${set}.ts`);
    const done = spawnSync(process.execPath, [tsc, ...options, ...files], { cwd: folder, encoding: 'utf8' });
    return `${done.stdout}${done.stderr}`.split('\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function broken(board, fault) {
  const copy = structuredClone(board);
  fault(copy, copy.panels.find((it) => it.type === 'timeseries'));
  return copy;
}

function fail(message) {
  process.stderr.write(`FAILED: ${message}\n`);
  process.exit(1);
}

const names = readdirSync(dashboards).filter((name) => name.endsWith('.json')).sort();
const boards = Object.fromEntries(names.map((name) => [name, JSON.parse(readFileSync(join(dashboards, name), 'utf8'))]));
const faulty = Object.values(FAULTS).map((fault, number) => [`fault_${number}`, { 'broken.json': broken(boards[names[0]], fault) }]);
const found = findings({ shipped: boards, ...Object.fromEntries(faulty) });
const wrong = found.filter((line) => line && !line.startsWith('fault_') && !line.startsWith(' '));
if (wrong.length) fail(wrong.join('\n'));
Object.keys(FAULTS).forEach((fault, number) => {
  if (!found.some((line) => line.startsWith(`fault_${number}.ts`))) fail(`${fault} was not seen`);
});
process.stdout.write(`${names.length} dashboards are of Grafana's types; ${Object.keys(FAULTS).length} seeded faults are seen\n`);
