// Fills the tables that cds-deploy made: node load.js ROWS, a file with a JSON array of rows, keyed by column, in the order of the bridge.

const { readFileSync } = require('node:fs');
const Database = require('better-sqlite3');

const rows = JSON.parse(readFileSync(process.argv[2]));
const database = new Database('rows.sqlite');

for (const table of ['peers_Shown', 'peers_Whole']) {
  const columns = database.pragma(`table_info(${table})`).map(({ name }) => name);
  const insert = database.prepare(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`);
  database.transaction(() => {
    for (const [index, row] of rows.entries()) insert.run(columns.map((name) => (name === 'ID' ? index + 1 : row[name])));
  })();
}
