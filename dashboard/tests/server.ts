// Finds the server for the browser tests, or starts one in a directory of its own and removes it and
// everything it made afterwards.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const START_MS = 60_000;
const STOP_MS = 15_000;

export default async function setup(): Promise<() => Promise<void>> {
  if (process.env.BELLWETHER_URL) {
    const missing = ['BELLWETHER_USER', 'BELLWETHER_PASSWORD'].filter((name) => !process.env[name]);
    if (missing.length > 0) throw new Error(`BELLWETHER_URL needs ${missing.join(' and ')} too`);
    return async () => undefined;
  }
  const program = process.env.BELLWETHER_BIN;
  const agent = process.env.BELLWETHER_AGENT_BIN;
  if (!program || !agent) {
    throw new Error(
      'set BELLWETHER_BIN and BELLWETHER_AGENT_BIN to test a server of its own, ' +
        'or BELLWETHER_URL, BELLWETHER_USER and BELLWETHER_PASSWORD to test one that runs',
    );
  }
  const server = await startServer(program, agent);
  process.env.BELLWETHER_URL = server.url;
  process.env.BELLWETHER_USER = 'admin';
  process.env.BELLWETHER_PASSWORD = server.password;
  return server.stop;
}

export interface Server {
  url: string;
  /** Of the first administrator. */
  password: string;
  stop: () => Promise<void>;
}

/** Starts a server in a directory of its own; `more` has arguments for one at that address. */
export async function startServer(
  program: string,
  agent: string,
  more: (url: string, data: string) => string[] = () => [],
): Promise<Server> {
  const data = mkdtempSync(join(tmpdir(), 'bellwether-browser-'));
  const [agentPort, localPort] = [await freePort(), await freePort()];
  const log = join(data, 'server.log');
  const output = openSync(log, 'w');
  const url = `http://127.0.0.1:${localPort}`;
  const server = spawn(
    program,
    [
      'server',
      '--data',
      data,
      '--listen',
      `[::]:${agentPort}`,
      '--local',
      `127.0.0.1:${localPort}`,
      '--agent-binary',
      agent,
      ...more(url, data),
    ],
    { stdio: ['ignore', output, output] },
  );
  const stop = async () => {
    await end(server);
    removeNodes(data);
    rmSync(data, { recursive: true, force: true });
  };
  try {
    await waitUntil(START_MS, async () => {
      if (server.exitCode !== null) throw new Error(`the server ended with ${server.exitCode}`);
      const answer = await fetch(`${url}/v1/health`).catch(() => null);
      return answer?.ok === true && existsSync(join(data, 'first-password'));
    });
  } catch (error) {
    const said = readFileSync(log, 'utf8');
    await stop();
    throw new Error(`the server did not start: ${String(error)}\n${said}`);
  }
  const password = readFileSync(join(data, 'first-password'), 'utf8').trim();
  return { url, password, stop };
}

/** A port that nobody listens on just now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => {
        if (address && typeof address === 'object') resolve(address.port);
        else reject(new Error('no port is free'));
      });
    });
  });
}

export async function waitUntil(ms: number, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`not within ${ms / 1_000} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export async function end(server: ChildProcess): Promise<void> {
  // One that was ended before has either.
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGTERM');
  const timer = setTimeout(() => server.kill('SIGKILL'), STOP_MS);
  await ended;
  clearTimeout(timer);
}

/** What a test that failed half-way left behind: only what this server made. */
function removeNodes(data: string): void {
  const mark = join(data, 'instance');
  if (!existsSync(mark)) return;
  const script = fileURLToPath(new URL('../../scripts/clean-nodes', import.meta.url));
  execFileSync(script, [readFileSync(mark, 'utf8').trim()], { stdio: 'ignore' });
}
