// A failover as it happens: who is suspected and why, what is done about it, and the report after.

import { execFileSync } from 'node:child_process';

import { expect, type Page, test } from '@playwright/test';

import { at, CREATION_MS, goTo, openTab, OPERATION_MS, signIn } from './app';

const name = `live-${Date.now().toString(36)}`;
const GIB = 2 ** 30;

const docker = (...args: string[]): string => execFileSync('docker', args).toString().trim();

/** The session's cookie alone changes nothing. */
const headers = { 'X-Bellwether': '1' };

async function read<T>(page: Page, path: string): Promise<T> {
  const answer = await page.request.get(at(path));
  expect(answer.ok()).toBe(true);
  return (await answer.json()) as T;
}

interface Shown {
  id: string;
  phase: string;
  primary: string;
  primary_name: string;
}

const cluster = (page: Page) => read<Shown>(page, `/v1/clusters/${name}`);

/** What lets a person see it happen: silence is suspected slowly. */
const spec = {
  name,
  engine: 'postgresql',
  version: '17',
  provider: 'docker',
  nodes: 3,
  size: { cpus: 1, memory: GIB / 2, disk: 2 * GIB },
  replication: 'quorum(1)',
  timers: 'wan',
};

test('a failover is shown as it happens, with its report, and a drill is run', async ({ page }) => {
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  await signIn(page);
  const made = await page.request.post(at('/v1/clusters'), { headers, data: spec });
  expect(made.status()).toBe(201);
  await goTo(page, `/clusters/${name}`);
  await expect(page.getByText('Healthy', { exact: true }).first()).toBeVisible({
    timeout: CREATION_MS,
  });
  const { primary, primary_name: former } = await cluster(page);
  const container = docker('ps', '-q', '--filter', `label=org.bellwether.node=${primary}`);

  await test.step('whoever falls silent is suspected, on evidence that is shown', async () => {
    docker('pause', container);
    const note = page.getByRole('region', { name: `${former} is suspected` });
    await expect(note).toBeVisible({ timeout: 30_000 });
    await expect(note).toContainText('Lease request');
    await expect(note).toContainText(/is late|is silent/);
  });

  await test.step('its replacement is followed, and told by its report', async () => {
    const banner = page.getByRole('region', { name: /^Failover/ });
    await expect(banner).toContainText(`${former} is replaced`, { timeout: OPERATION_MS });
    await expect(banner).toContainText('succeeded', { timeout: OPERATION_MS });
    await expect(page.getByRole('region', { name: `${former} is suspected` })).toHaveCount(0);
    await banner.getByRole('link', { name: 'See the report' }).click();
    const main = page.getByRole('main');
    await expect(main.getByText('Writes waited', { exact: true })).toBeVisible();
    await expect(main.getByText(/As clients saw it at/)).toBeVisible({ timeout: 30_000 });
    await expect(main.getByText('No acknowledged write is lost', { exact: true })).toBeVisible();
    await expect(main.getByText(/rule 205/).first()).toBeVisible();
    await expect(main.getByRole('img', { name: /From the beginning to the end/ })).toBeVisible();
    await expect(main.getByText('Evidence in numbers')).toBeVisible();
  });

  await test.step('a drill is run after a dialog that says what it does', async () => {
    docker('unpause', container);
    await openTab(page, 'Overview');
    const run = page.getByRole('button', { name: 'Run a drill…' });
    await expect(run).not.toHaveAttribute('aria-disabled', 'true', { timeout: CREATION_MS });
    await run.click();
    const dialog = page.getByRole('dialog');
    await expect(dialog).toContainText('as planned');
    await dialog.getByRole('radio', { name: 'Failover' }).check();
    await expect(dialog).toContainText('Kills the engine of');
    await dialog.getByRole('radio', { name: 'Switchover' }).check();
    await expect(dialog).toContainText('as planned');
    await dialog.getByRole('button', { name: 'Run the drill' }).click();
    await expect(page.getByText(/^Last drill: .*writes waited/)).toBeVisible({
      timeout: CREATION_MS,
    });
  });

  const { id } = await cluster(page);
  const gone = await page.request.delete(at(`/v1/clusters/${id}?confirm=${name}`), { headers });
  expect(gone.status()).toBe(202);
  await expect(page.getByRole('heading', { name: `${name} is deleted` })).toBeVisible({
    timeout: OPERATION_MS,
  });
  expect(errors).toEqual([]);
});
