// A simulator's tables several times: a server between the bridge and the simulator that lists them under more ids.

import { createServer, request } from 'node:http';

/** The list with copies of its tables until there are so many. */
const withCopies = (subjects, tables) => {
  const groups = subjects.flatMap((subject) => subject.table_groups);
  const own = groups.flatMap((group) => group.tables.map((table) => [group, table]));
  for (let copy = 0; copy < tables - own.length; copy += 1) {
    const [group, table] = own[copy % own.length];
    group.tables.push({ ...table, table_id: `${table.table_id}x${Math.floor(copy / own.length)}` });
  }
  return subjects;
};

const get = (port, path, headers) =>
  new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, headers }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => resolve({ status: answer.statusCode, type: answer.headers['content-type'], body: Buffer.concat(parts) }));
      answer.on('error', reject);
    });
    asked.on('error', reject).end();
  });

/** What the simulator answers, with the id that was asked for. */
const answered = async (url, headers, simulatorPort, tables) => {
  const [, copy] = url.match(/\/(?:table|data)\/([^/?]+x\d)(?=[/?]|$)/) ?? [];
  const original = copy ? url.replace(copy, copy.slice(0, -2)) : url;
  const answer = await get(simulatorPort, original, { ...headers, 'accept-encoding': 'identity' });
  if (url.includes('/tables')) return { ...answer, body: JSON.stringify(withCopies(JSON.parse(answer.body), tables)) };
  return copy ? { ...answer, body: answer.body.toString().replace(/"table_id":"[^"]*"/, `"table_id":"${copy}"`) } : answer;
};

/** Serves so many tables of a simulator, until it is closed or the program ends. */
export const multiply = async (tables, simulatorPort, port) => {
  const server = createServer(async (asked, answer) => {
    const { host, ...headers } = asked.headers;
    try {
      const { status, type, body } = await answered(asked.url, headers, simulatorPort, tables);
      answer.writeHead(status, { 'content-type': type ?? 'application/json' }).end(body);
    } catch (error) {
      answer.writeHead(502, { 'content-type': 'text/plain' }).end(String(error));
    }
  });
  server.unref();
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return server;
};
