// The bridge, CAP and nginx with their rows.

import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

import { ask, ready, run, start } from './programs.mjs';
import { bridge, bridgePort, capPort, folder, local, nginxPort, peers, simulatorPort, theirs } from './setting.mjs';

/** A simulator, once it answers. */
export const startSimulator = async (port, more = []) => {
  const simulator = start(folder, 'simulator', bridge, ['simulator', '--listen', `127.0.0.1:${port}`, ...more]);
  await ready(simulator, `${local(port)}/v3/subjects?format=json`);
  return simulator;
};

/** A bridge with a folder of its own; it may not answer yet. */
export const startBridge = (port, name, { upstream = simulatorPort, settings = {} } = {}) =>
  start(folder, name, bridge, ['serve', '--simulator', `${local(upstream)}/v3`], {
    settings: { BRIDGE_LISTEN: `127.0.0.1:${port}`, BRIDGE_DATA_DIR: join(folder, `${name}-data`), BRIDGE_LOG: 'error', ...settings },
  });

/** Waits until so many tables have been read in detail, or as many as there are, and gives their number. */
export const detailed = async (port, enough = Infinity) => {
  let [last, same] = [-1, 0];
  while (same < 10 && last < enough) {
    const count = Number((await ask(`${local(port)}/status?sprog=en`)).body.toString().match(/in detail: (\d+)/)?.[1] ?? 0);
    same = count === last ? same + 1 : 0;
    last = count;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return last;
};

/** The simulator and a bridge that reads it, once both answer. */
export const startBoth = async () => {
  await startSimulator(simulatorPort);
  const program = startBridge(bridgePort, 'bridge');
  await ready(program, `${local(bridgePort)}/readyz`);
  return program;
};

const nextLink = (body, url) => {
  const ends = `${body.subarray(0, 2000)}${body.subarray(-2000)}`;
  const link = ends.match(/"@odata\.nextLink":\s*"([^"]+)"/)?.[1];
  return link && new URL(link, url).href;
};

/** Follows the pages of an answer to its end. */
export const walk = async (first, visit, headers = {}) => {
  for (let url = first; url !== undefined;) {
    const answer = await ask(url, { headers });
    visit(answer);
    url = nextLink(answer.body, url);
  }
};

export const allRows = async (url) => {
  const rows = [];
  await walk(url, ({ body }) => {
    for (const row of JSON.parse(body).value) rows.push(row);
  });
  return rows;
};

export const startCap = async (rows) => {
  const cwd = join(folder, 'cap');
  cpSync(join(peers, 'cap'), cwd, { recursive: true, filter: (path) => !path.endsWith('/cap/node_modules') });
  symlinkSync(join(peers, 'cap', 'node_modules'), join(cwd, 'node_modules'));
  const settings = { NODE_ENV: 'production', PORT: String(capPort) };
  writeFileSync(join(folder, 'rows.json'), JSON.stringify(rows));
  await run('node', ['node_modules/.bin/cds-deploy'], { cwd, settings });
  await run('node', ['load.js', join(folder, 'rows.json')], { cwd });
  const cap = start(folder, 'cap', 'node', ['node_modules/.bin/cds-serve'], { cwd, settings });
  await ready(cap, theirs);
  return cap;
};

export const startNginx = async (files) => {
  const root = join(folder, 'nginx');
  mkdirSync(root);
  for (const [name, body] of Object.entries(files)) writeFileSync(join(root, name), body);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${root}/${name};`)
    .join(' ');
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; pid ${root}/pid; error_log stderr; worker_processes auto; ${process.getuid() === 0 ? 'user root;' : ''}
    events {} http { access_log off; sendfile on; tcp_nopush on; open_file_cache max=10; ${temporary}
    server { listen 127.0.0.1:${nginxPort}; root ${root}; default_type application/json; keepalive_requests 1000000000; } }`,
  );
  const settings = { PATH: `${process.env.PATH}:/usr/sbin` };
  const nginx = start(folder, 'nginx', 'nginx', ['-e', 'stderr', '-c', join(folder, 'nginx.conf')], { settings });
  await ready(nginx, `${local(nginxPort)}/${Object.keys(files)[0]}`);
};
