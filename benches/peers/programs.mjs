// The programs that take part, each started on loopback with a log of its own, and how they are asked.

import { spawn } from 'node:child_process';
import { openSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import process from 'node:process';
import { gunzipSync } from 'node:zlib';

const HERTZ = 100;
// Milliseconds after which a program that was told to end is killed, and how long the rows of a table may take to be read.
const LATE = 20_000;
const PATIENCE = 1_800_000;
const started = [];
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

const ended = (child) =>
  new Promise((resolve) => {
    for (const event of ['exit', 'error']) child.once(event, resolve);
  });

/** The environment without settings of the bridge: no key of the caller's reaches a program that is measured. */
const unset = () => Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(BRIDGE|JOBINDSATS)_/.test(name)));

/** Starts a program that runs until it is stopped; what it says goes into a file. */
export const start = (folder, name, command, args, { settings = {}, cwd } = {}) => {
  const log = openSync(join(folder, `${name}.log`), 'a');
  const child = spawn(command, args, { cwd, env: { ...unset(), ...settings }, stdio: ['ignore', log, log] });
  const program = { name, child, hasEnded: false };
  program.end = ended(child).then(() => (program.hasEnded = true));
  started.push(program);
  return program;
};

export const stop = async (program) => {
  program.child.kill();
  const late = setTimeout(() => program.child.kill('SIGKILL'), LATE);
  await program.end;
  clearTimeout(late);
  started.splice(started.indexOf(program), 1);
};

const stopAll = async () => {
  for (const { child } of started) child.kill();
  setTimeout(() => started.forEach(({ child }) => child.kill('SIGKILL')), LATE).unref();
  await Promise.all(started.map(({ end }) => end));
};

/** Does the work of a run. However it ends, nothing that it started goes on, and its folder is gone. */
export const whole = async (main, folder) => {
  const end = async () => {
    await stopAll();
    rmSync(folder, { recursive: true, force: true });
  };
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM']) process.once(signal, () => end().then(() => process.exit(1)));
  try {
    await main();
  } finally {
    await end();
  }
  process.exit();
};

/** Runs a program to its end and gives what it wrote. */
export const run = async (command, args, { settings = {}, cwd } = {}) => {
  const child = spawn(command, args, { cwd, env: { ...unset(), ...settings }, stdio: ['ignore', 'pipe', 'pipe'] });
  const program = { name: command, child, hasEnded: false };
  program.end = ended(child);
  started.push(program);
  const parts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].on('data', (part) => (parts[name] += part));
  await new Promise((resolve) => child.once('close', resolve));
  started.splice(started.indexOf(program), 1);
  if (child.exitCode !== 0)
    throw new Error(`${command} ${args.join(' ')}: ${parts.stderr.slice(-2000)}${parts.stdout.slice(-500)}`);
  return parts.stdout;
};

/** Asks for an address and gives its body, unless it is not kept, with the milliseconds to its last byte. */
export const ask = (url, { headers = {}, isKept = true } = {}) =>
  new Promise((resolve, reject) => {
    const from = performance.now();
    const asked = request(url, { headers, agent }, (answer) => {
      const parts = [];
      let bytes = 0;
      answer.on('data', (part) => {
        bytes += part.length;
        if (isKept) parts.push(part);
      });
      answer.on('end', () => {
        const milliseconds = performance.now() - from;
        let body = Buffer.concat(parts);
        if (isKept && answer.headers['content-encoding'] === 'gzip') body = gunzipSync(body);
        if (answer.statusCode === 200) resolve({ milliseconds, bytes, body });
        else
          reject(
            Object.assign(new Error(`${url}: ${answer.statusCode} ${body.subarray(0, 500)}`), { status: answer.statusCode }),
          );
      });
      answer.on('error', reject);
    });
    asked.on('error', reject).end();
  });

/** Asks again for as long as the bridge has to read figures first. */
export const askUntilRead = async (url) => {
  for (const until = performance.now() + PATIENCE; ; ) {
    try {
      return await ask(url);
    } catch (error) {
      if (error.status !== 503 || performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
};

/** Waits until a program answers, be it that it asks for a key. */
export const ready = async (program, url) => {
  for (let tries = 0; tries < 1200; tries += 1) {
    if (program.hasEnded) throw new Error(`${program.name} ended by itself`);
    const status = await ask(url).then(
      () => 200,
      (error) => error.status,
    );
    if (status < 500) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing answers at ${url}`);
};

/** Milliseconds of processor time that a program has used. */
export const processorTime = ({ child }) => {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / HERTZ;
};

/** Megabytes that a program has resident. */
export const resident = ({ child }) =>
  Number(readFileSync(`/proc/${child.pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+)/m)[1]) / 1024;
