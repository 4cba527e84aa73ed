import { expect, type Page, test } from '@playwright/test';

import { CREATION_MS, goTo, openTab, OPERATION_MS, signIn } from './app';

const name = `listed-${Date.now().toString(36)}`;

/** Asks the API as the page does. */
const ask = (page: Page, method: string, path: string, body?: unknown): Promise<number> =>
  page.evaluate(
    async ([verb, url, text]) => {
      const headers = { 'content-type': 'application/json', 'x-bellwether': '1' };
      const answer = await fetch(url, { method: verb, headers, ...(text && { body: text }) });
      return answer.status;
    },
    [method, path, body === undefined ? '' : JSON.stringify(body)] as const,
  );

test('an allowlist is changed with a plan, and a list that locks out goes back', async ({ page }) => {
  await signIn(page);
  const spec = {
    name,
    engine: 'postgresql',
    nodes: 1,
    size: { cpus: 1, memory: '512MiB', disk: '2GiB' },
    allowlist: [{ address: 'server', note: 'this test' }],
  };
  expect(await ask(page, 'POST', '/v1/clusters', spec)).toBe(201);
  await goTo(page, `/clusters/${name}`);
  await expect(page.getByText('Healthy', { exact: true }).first()).toBeVisible({
    timeout: CREATION_MS,
  });
  await openTab(page, 'Access');
  const list = page.getByRole('list', { name: 'Who may reach it' });
  await expect(list).toContainText('the machine that Bellwether runs on · this test · for good');

  const adding = page.getByRole('dialog', { name: 'Whom shall it let in?' });
  const dialog = page.getByRole('dialog', { name: `Change who may reach ${name}?` });
  const letIn = async (address: string) => {
    await page.getByRole('button', { name: 'Let in…' }).click();
    await adding.getByLabel('Address').fill(address);
    await adding.getByLabel('Note').fill('the application');
    await adding.getByRole('button', { name: 'Review' }).click();
  };
  await letIn('my house');
  await expect(dialog).toContainText('`my house` is no address');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await letIn('198.51.100.0/24');
  await expect(dialog).toContainText('Nobody who is connected now is cut off.');
  await expect(dialog.getByRole('checkbox')).not.toBeChecked();
  await dialog.getByRole('button', { name: 'Apply' }).click();
  await expect(list).toContainText('198.51.100.0/24');

  await page.getByRole('button', { name: 'Remove server' }).click();
  await expect(dialog).toContainText('This list does not let you in.');
  await expect(dialog.getByRole('checkbox')).toBeChecked();
  await dialog.getByRole('button', { name: 'Apply' }).click();
  await expect(page.getByText(/only tried: the former one is back in/)).toBeVisible();
  await expect(list).not.toContainText('server');
  await page.getByRole('button', { name: 'Go back now' }).click();
  await expect(list).toContainText('server');
  await expect(page.getByText(/only tried/)).toBeHidden();

  await page.setViewportSize({ width: 360, height: 740 });
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - window.innerWidth,
  );
  expect(overflow).toBeLessThanOrEqual(0);
  expect(await ask(page, 'DELETE', `/v1/clusters/${name}?confirm=${name}`)).toBe(202);
  await expect(page.getByRole('heading', { name: `${name} is deleted` })).toBeVisible({
    timeout: OPERATION_MS,
  });
});
