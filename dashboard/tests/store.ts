// An S3 server of a test's own, on the host, where nodes reach it.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const START_MS = 60_000;

export interface Store {
  url: string;
  stop: () => void;
}

export async function startStore(): Promise<Store> {
  const script = fileURLToPath(new URL('../../scripts/ensure-s3', import.meta.url));
  const told = execFileSync(script, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const program = told.trim().split('\n').at(-1) ?? '';
  // The host's address on Docker's own bridge is reached from every network of nodes.
  const format = '{{(index .IPAM.Config 0).Gateway}}';
  const inspect = ['network', 'inspect', 'bridge', '--format', format];
  const host = execFileSync('docker', inspect, { encoding: 'utf8' }).trim();
  const port = await freePort(host);
  const server = spawn(program, ['-H', host, '-p', String(port)], { stdio: 'ignore' });
  const url = `http://${host}:${port}`;
  await untilAnswers(server, url);
  return { url, stop: () => server.kill('SIGKILL') };
}

function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, host, () => {
      const address = probe.address();
      probe.close(() => {
        if (address && typeof address === 'object') resolve(address.port);
        else reject(new Error('no port is free'));
      });
    });
  });
}

/** Its first answer takes longest: what it needs is loaded then. */
async function untilAnswers(server: ChildProcess, url: string): Promise<void> {
  const deadline = Date.now() + START_MS;
  while (!(await fetch(url).catch(() => null))?.ok) {
    if (server.exitCode !== null) throw new Error(`the store ended with ${server.exitCode}`);
    if (Date.now() > deadline) throw new Error(`the store does not answer within ${START_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
