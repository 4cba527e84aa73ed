import { expect, test } from '@playwright/test';

import { CREATION_MS, next, openTab, OPERATION_MS, signIn } from './app';

const name = `cache-${Date.now().toString(36)}`;

test('the wizard offers what another engine can do, and makes a cluster of it', async ({
  page,
}, info) => {
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  const look = async (what: string) => {
    await page.screenshot({ path: info.outputPath(`${what}.png`), fullPage: true });
  };
  await signIn(page);

  await test.step('its weaknesses are told, and only what it can keep is offered', async () => {
    await page.getByRole('link', { name: 'Create cluster' }).first().click();
    await page.getByRole('radio', { name: /^Valkey/ }).check();
    await expect(page.getByRole('list', { name: 'Known weaknesses' })).toContainText('WAIT');
    await look('engine');
    await page.setViewportSize({ width: 390, height: 844 });
    await page.emulateMedia({ colorScheme: 'dark' });
    await look('engine-phone-dark');
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize({ width: 1280, height: 900 });
    await next(page, /how large/);
    await page.getByLabel('Disk, GiB').fill('1');
    await page.getByLabel('Memory, GiB').fill('0.25');
    await next(page, /How many nodes/);
    await expect(page.getByRole('radio', { name: /Asynchronous/ })).toBeChecked();
    await expect(page.getByRole('radio', { name: /Quorum/ })).toHaveCount(0);
    await look('topology');
    await next(page, /reach/);
    await next(page, /called/);
    await page.getByLabel('Name', { exact: true }).fill(name);
    await next(page, /right/);
  });

  await test.step('the cluster is made, and shows how its own clients connect', async () => {
    await page.getByRole('button', { name: 'Create cluster' }).click();
    await expect(page.getByText('Healthy', { exact: true }).first()).toBeVisible({
      timeout: CREATION_MS,
    });
    const topology = page.getByRole('img', { name: `Topology of ${name}` });
    await expect(topology.getByText('Replica', { exact: true })).toHaveCount(2);
    await expect(page.getByText(/valkey-cli --user app/)).toBeVisible();
    await look('overview');
    await page.setViewportSize({ width: 390, height: 844 });
    await page.emulateMedia({ colorScheme: 'dark' });
    await look('overview-phone-dark');
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  await test.step('it is deleted', async () => {
    await openTab(page, 'Settings');
    await page.getByRole('button', { name: /Delete cluster/ }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel(/to confirm/).fill(name);
    await dialog.getByRole('button', { name: 'Delete for ever' }).click();
    await expect(page.getByRole('heading', { name: `${name} is deleted` })).toBeVisible({
      timeout: OPERATION_MS,
    });
  });
  expect(errors).toEqual([]);
});
