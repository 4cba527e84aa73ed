// A pretended server for work on the dashboard: see README.md beside this file.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

import { engines, parameters, providers } from './catalogue.mjs';
import { problem } from './problem.mjs';
import { setScene } from './scenes.mjs';
import { showOperation, World } from './world.mjs';

const dist = fileURLToPath(new URL('../dist', import.meta.url));
const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};
const policy =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

export function startMock({ port = 4310, scene = 'demo', stepMs = 900 } = {}) {
  const watchers = new Set();
  const publish = (event) => {
    for (const watcher of watchers) send(watcher, event);
  };
  const world = new World(stepMs, publish);
  setScene(world, scene);
  const state = { world, watchers, mustChangePassword: true };
  const breath = setInterval(() => world.breathe(), 500);
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://mock');
    const answer = url.pathname.startsWith('/v1/') ? api : files;
    answer(state, request, response, url).catch((error) => {
      if (!error.body) console.error(error);
      const body = error.body ?? problem('internal', String(error)).body;
      reply(response, body.status, body, { 'Content-Type': 'application/problem+json' });
    });
  });
  return new Promise((resolve) => {
    server.listen(port, '127.0.0.1', () => {
      const url = `http://127.0.0.1:${server.address().port}`;
      const close = () => {
        clearInterval(breath);
        for (const watcher of watchers) watcher.end();
        server.close();
        server.closeAllConnections();
      };
      resolve({ url, world, close });
    });
  });
}

function reply(response, status, body, headers = {}) {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

function send(watcher, event) {
  watcher.write(`event: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`);
}

async function read(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString());
}

async function files(_, request, response, url) {
  const path = normalize(url.pathname);
  const isFile = extname(path) !== '';
  const body = await readFile(join(dist, isFile ? path : 'index.html')).catch(() => null);
  response.writeHead(body ? 200 : 404, {
    'Content-Type': types[isFile ? extname(path) : '.html'] ?? 'application/octet-stream',
    'Content-Security-Policy': policy,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

async function api(state, request, response, url) {
  const { world } = state;
  const query = url.searchParams;
  const [, , noun, id, part] = url.pathname.split('/').map(decodeURIComponent);
  const route = `${request.method} ${noun}${id ? '/:id' : ''}${part ? `/${part}` : ''}`;
  if (request.method !== 'GET' && request.headers['x-bellwether'] !== '1') {
    throw problem('bad-request', 'X-Bellwether: 1 is missing');
  }
  const isSignedIn = request.headers.cookie?.includes('bellwether_session=');
  if (!isSignedIn && route !== 'POST sessions' && noun !== 'health') {
    throw problem('unauthenticated', 'the session cookie is missing');
  }
  const me = { id: 'u', name: 'admin', must_change_password: state.mustChangePassword, access: { everywhere: 'owner' } };
  const page = (items) => reply(response, 200, { items });
  switch (route) {
    case 'GET health':
      return reply(response, 200, {});
    case 'POST sessions': {
      const { password } = await read(request);
      if (password.length < 12) {
        throw problem('wrong-password', 'the user or the password is wrong', {
          hint: 'The first password was printed when the server started.',
        });
      }
      const cookie = 'bellwether_session=pretended; Path=/; HttpOnly; SameSite=Strict';
      return reply(response, 200, { token: 't', user: me }, { 'Set-Cookie': cookie });
    }
    case 'DELETE sessions/:id':
      return reply(response, 204, undefined, { 'Set-Cookie': 'bellwether_session=; Path=/; Max-Age=0' });
    case 'GET me':
      return reply(response, 200, me);
    case 'PUT me/:id':
      state.mustChangePassword = false;
      return reply(response, 204);
    case 'GET engines':
      return reply(response, 200, engines);
    case 'GET providers':
      return reply(response, 200, providers);
    case 'GET clusters':
      return page([...world.clusters.values()].map((one) => world.showCluster(one)));
    case 'POST clusters': {
      const spec = await read(request);
      if (query.get('plan') === 'true') return reply(response, 200, world.planCreation(spec));
      return reply(response, 201, world.showCluster(world.create(spec)));
    }
    case 'GET clusters/:id':
      return reply(response, 200, world.showCluster(world.find(id)));
    case 'DELETE clusters/:id': {
      const cluster = world.find(id);
      return reply(response, 202, showOperation(world.start(cluster, { kind: 'delete_cluster' })));
    }
    case 'GET engines/:id/parameters':
      return reply(response, 200, parameters);
    case 'GET clusters/:id/parameters':
      return reply(response, 200, world.showParameters(world.find(id)));
    case 'PATCH clusters/:id': {
      const change = await read(request);
      const cluster = world.find(id);
      if (query.get('plan') === 'true') return reply(response, 200, world.planChange(cluster, change));
      return reply(response, 200, world.showCluster(world.change(cluster, change)));
    }
    case 'GET clusters/:id/nodes':
      return page(world.nodesOf(world.find(id)).map((node) => world.showNode(node)));
    case 'GET clusters/:id/drills':
      return page(world.drills.get(world.find(id).id) ?? []);
    case 'GET backups':
      return page(world.backupsOf(query.get('cluster')));
    case 'GET backups/:id': {
      const found = world.backupsOf(null).find((one) => one.id === id);
      if (!found) throw problem('not-found', id);
      return reply(response, 200, found);
    }
    case 'GET repositories':
      return page(world.repositories);
    case 'GET reports/:id': {
      const found = world.operations.find((one) => one.id === id);
      if (!found) throw problem('not-found', id);
      return reply(response, 200, world.showReport(found));
    }
    case 'PATCH clusters/:id': {
      const cluster = world.find(id);
      Object.assign(cluster.spec, await read(request));
      cluster.generation += 1;
      return reply(response, 200, world.showCluster(cluster));
    }
    case 'GET clusters/:id/connection':
      return reply(response, 200, world.showConnection(world.find(id), query.get('reveal') === 'true'));
    case 'POST clusters/:id/operations': {
      const wanted = await read(request);
      const cluster = world.find(id);
      if (query.get('plan') === 'true') return reply(response, 200, world.plan(cluster, wanted));
      return reply(response, 202, showOperation(world.start(cluster, wanted)));
    }
    case 'GET operations': {
      const cluster = query.get('cluster');
      const found = world.operations.filter((one) => !cluster || one.cluster === cluster);
      return page(found.map(showOperation));
    }
    case 'GET operations/:id': {
      const found = world.operations.find((one) => one.id === id);
      if (!found) throw problem('not-found', id);
      return reply(response, 200, showOperation(found));
    }
    case 'GET events':
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
      send(response, { kind: 'hello', version: '0.1.0' });
      state.watchers.add(response);
      request.on('close', () => state.watchers.delete(response));
      return undefined;
    default:
      throw problem('not-found', url.pathname);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await startMock({
    port: Number(process.env.MOCK_PORT ?? 4310),
    scene: process.env.MOCK_SCENE ?? 'demo',
    stepMs: Number(process.env.MOCK_STEP_MS ?? 900),
  });
  console.log(`A pretended server answers at ${url}`);
}
