import { expect, test } from '@playwright/test';

import { at, CREATION_MS, goTo, openTab, OPERATION_MS, signIn } from './app';

const name = `seen-${Date.now().toString(36)}`;
const viewer = `viewer-${Date.now().toString(36)}`;

test('a viewer sees everything but secrets and can change nothing', async ({ page, browser }) => {
  await signIn(page);
  const ask = (method: string, path: string, body: string) =>
    page.evaluate(
      async ([verb, url, text]) => {
        const headers = { 'content-type': 'application/json', 'x-bellwether': '1' };
        const answer = await fetch(url, { method: verb, headers, ...(text && { body: text }) });
        return [answer.status, await answer.text()] as const;
      },
      [method, path, body] as const,
    );
  const size = { cpus: 1, memory: '512MiB', disk: '2GiB' };
  const spec = { name, engine: 'postgresql', nodes: 1, size };
  expect((await ask('POST', '/v1/clusters', JSON.stringify(spec)))[0]).toBe(201);

  await goTo(page, '/people');
  await page.getByRole('button', { name: 'Add user…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill(viewer);
  await dialog.getByLabel('Role everywhere').selectOption('viewer');
  await dialog.getByRole('button', { name: 'Add user' }).click();
  const password = await dialog.locator('pre').innerText();
  await dialog.getByRole('button', { name: 'Done' }).click();
  await expect(page.getByRole('list', { name: 'Users' })).toContainText(viewer);
  const answer = await page.request.get(at(`/v1/clusters/${name}`));
  expect(answer.status()).toBe(200);

  const other = await (await browser.newContext()).newPage();
  await goTo(other, '/');
  await other.getByLabel('User').fill(viewer);
  await other.getByLabel('Password', { exact: true }).fill(password.trim());
  await other.getByRole('button', { name: 'Sign in' }).click();
  await expect(other.getByRole('link', { name })).toBeVisible();
  await expect(other.getByRole('link', { name: 'Create cluster' })).toHaveCount(0);
  await expect(other.getByRole('link', { name: 'People' })).toHaveCount(0);
  await other.getByRole('link', { name }).click();
  await expect(other.getByText('Healthy', { exact: true }).first()).toBeVisible({
    timeout: CREATION_MS,
  });
  for (const words of [/Add node/, /Resync/, /Run a drill/, /Schedule/, /^Show$/]) {
    await expect(other.getByRole('button', { name: words })).toHaveCount(0);
  }
  await openTab(other, 'Nodes');
  await expect(other.getByRole('row').filter({ hasText: `${name}-1` })).toBeVisible();
  await expect(other.getByRole('button', { name: /Actions for/ })).toHaveCount(0);
  await openTab(other, 'Access');
  await expect(other.getByText(/Nobody is let in/)).toBeVisible();
  await expect(other.getByRole('button', { name: /Let/ })).toHaveCount(0);
  await openTab(other, 'Settings');
  await expect(other.getByText('You may look at these settings, not change them.')).toBeVisible();
  await expect(other.getByRole('button', { name: /Delete cluster/ })).toHaveCount(0);

  // What is asked for all the same is refused by the server.
  const status = await other.evaluate(async (path) => {
    const headers = { 'content-type': 'application/json', 'x-bellwether': '1' };
    const body = JSON.stringify({ kind: 'add_node' });
    return (await fetch(path, { method: 'POST', headers, body })).status;
  }, `/v1/clusters/${name}/operations`);
  expect(status).toBe(403);
  await other.context().close();

  expect((await ask('DELETE', `/v1/users/${viewer}`, ''))[0]).toBe(204);
  expect((await ask('DELETE', `/v1/clusters/${name}?confirm=${name}`, ''))[0]).toBe(202);
  await goTo(page, '/clusters');
  await expect(page.getByRole('link', { name })).toHaveCount(0, { timeout: OPERATION_MS });
});
