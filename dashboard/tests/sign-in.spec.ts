import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, type Page, test } from '@playwright/test';

import { end, freePort, type Server, startServer, waitUntil } from './server';

const program = process.env.BELLWETHER_BIN ?? '';
const agent = process.env.BELLWETHER_AGENT_BIN ?? '';

let provider: ChildProcess;
let server: Server;
let config: string;

/** A server of its own, and a certified provider beside it. */
test.beforeAll(async () => {
  if (!program || !agent) throw new Error('set BELLWETHER_BIN and BELLWETHER_AGENT_BIN');
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  server = await startServer(program, agent, (url, data) => {
    const file = join(data, 'identity-provider.toml');
    const lines = [
      `issuer = "${issuer}"`,
      'client_id = "bellwether"',
      'client_secret = "a-secret-of-the-test"',
      'title = "Example"',
      `addresses = ["${url}"]`,
      '[[access]]',
      'group = "dba"',
      'role = "admin"',
    ];
    writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
    config = join(data, 'config.toml');
    return ['--identity-provider', file];
  });
  const script = fileURLToPath(
    new URL('../../tests/identity-provider/provider.mjs', import.meta.url),
  );
  provider = spawn('node', [script, `${port}`, `${server.url}/sign-in/return`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await waitUntil(30_000, async () => {
    if (provider.exitCode !== null) throw new Error('the provider did not start');
    const answer = await fetch(`${issuer}/.well-known/openid-configuration`).catch(() => null);
    return answer?.ok === true;
  });
});

test.afterAll(async () => {
  await end(provider);
  await server.stop();
});

/** On the provider's own pages. */
async function signInThere(page: Page, name: string): Promise<void> {
  await page.locator('input[name=login]').fill(name);
  await page.locator('input[name=password]').fill('any');
  await page.getByRole('button', { name: /sign-in/i }).click();
  await page.getByRole('button', { name: /continue/i }).click();
}

/** What the command line says and how it ends; `answer` is given what it asks for. */
async function login(answer: (url: string) => Promise<string>): Promise<string> {
  const environment = { ...process.env, BELLWETHER_CONFIG: config };
  const command = spawn(program, ['login', '--provider', '--url', server.url], {
    env: environment,
  });
  let said = '';
  command.stdout.on('data', (text) => (said += String(text)));
  command.stderr.on('data', (text) => (said += String(text)));
  const ended = new Promise<number | null>((resolve) => command.once('exit', resolve));
  await waitUntil(30_000, async () => said.includes('What the page shows'));
  const url = /http:\S+/.exec(said)?.[0] ?? '';
  command.stdin.end(`${await answer(url)}\n`);
  const code = await ended;
  return `${said}\nended with ${code}`;
}

test('people sign in through an identity provider, as far as it and the rules let them', async ({
  browser,
}) => {
  const page = await (await browser.newContext()).newPage();
  const button = { name: 'Sign in with Example' };
  await page.goto(`${server.url}/sign-in?next=/people`);
  await page.getByRole('button', button).click();
  await signInThere(page, 'dba-ann');
  await expect(page.getByRole('heading', { level: 1, name: 'People' })).toBeVisible();
  await page.getByRole('button', { name: 'Account: dba-ann' }).click();
  await expect(page.getByRole('menuitem', { name: 'Sessions and tokens' })).toBeVisible();
  await expect(page.getByRole('menuitem', { name: 'Change password' })).toHaveCount(0);
  await page.keyboard.press('Escape');
  await expect(page.getByText(/through the identity provider/)).toBeVisible();

  const other = await (await browser.newContext()).newPage();
  await other.goto(`${server.url}/sign-in`);
  await other.getByRole('button', button).click();
  await signInThere(other, 'bob');
  await expect(other.getByRole('alert')).toContainText('knows you as bob, who has no role here');
  await other.getByRole('link', { name: 'Back to signing in' }).click();
  await expect(other.getByRole('button', button)).toBeVisible();

  const third = await (await browser.newContext()).newPage();
  const said = await login(async (url) => {
    await third.goto(url);
    await signInThere(third, 'dba-cli');
    return third.getByRole('group', { name: 'What the terminal asks for' }).innerText();
  });
  expect(said).toContain(`Signed in to ${server.url} as dba-cli.`);
  expect(said).toContain('ended with 0');
  expect(await login(async () => 'made:up')).toContain('this sign-in was ended before');

  await end(provider);
  await expect(async () => {
    const begun = await other.request.post(`${server.url}/v1/identity-provider/sign-ins`, {
      data: {},
    });
    expect(begun.status()).toBe(503);
  }).toPass({ timeout: 30_000 });
  await other.getByRole('button', button).click();
  await expect(other.getByRole('alert')).toContainText('cannot be reached');
  await other.getByLabel('User').fill('admin');
  await other.getByLabel('Password', { exact: true }).fill(server.password);
  await other.getByRole('button', { name: 'Sign in', exact: true }).click();
  await expect(other.getByRole('heading', { level: 1, name: 'Clusters' })).toBeVisible();
  const log = await (await other.request.get(`${server.url}/v1/audit`)).text();
  for (const part of ['user.create', 'dba-ann', 'through http://127.0.0.1', 'sign-in-refused']) {
    expect(log).toContain(part);
  }
  for (const context of browser.contexts()) await context.close();
});
