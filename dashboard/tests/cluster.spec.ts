import { fileURLToPath } from 'node:url';

import { expect, test } from '@playwright/test';

import { CREATION_MS, goTo, next, nodeWithRole, openTab, OPERATION_MS, row, signIn } from './app';

const name = `browser-${Date.now().toString(36)}`;
const picture = fileURLToPath(new URL('../../docs/images/dashboard.png', import.meta.url));

test('a cluster is created by the wizard, a replica promoted, and the cluster deleted', async ({
  page,
}) => {
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  await signIn(page);

  await test.step('the wizard refuses what cannot be carried out, and keeps what was entered', async () => {
    await page.getByRole('link', { name: 'Create cluster' }).first().click();
    await expect(page.getByRole('radio', { name: /^PostgreSQL/ })).toBeChecked();
    await next(page, /how large/);
    await page.getByLabel('Disk, GiB').fill('0.01');
    await page.getByRole('button', { name: 'Next' }).click();
    await expect(page.getByText(/^Choose .* to /)).toBeVisible();
    await page.getByLabel('Disk, GiB').fill('2');
    await page.getByLabel('Memory, GiB').fill('0.5');
    await next(page, /How many nodes/);
    await expect(page.getByLabel('Nodes', { exact: true })).toHaveValue('3');
    await next(page, /reach/);
    await expect(page.getByLabel(/let in, one in a line/)).toHaveValue('server');
    await next(page, /called/);
    await page.getByLabel('Name', { exact: true }).fill('Not A Name');
    await page.getByRole('button', { name: 'Next' }).click();
    await expect(page.getByText(/beginning with a letter, not ending/)).toBeVisible();
    for (let step = 0; step < 3; step += 1) {
      await page.getByRole('button', { name: 'Back' }).click();
    }
    await expect(page.getByLabel('Disk, GiB')).toHaveValue('2');
    await next(page, /How many nodes/);
    await next(page, /reach/);
    await next(page, /called/);
    await page.getByLabel('Name', { exact: true }).fill(name);
  });

  await test.step('the review shows every setting and the plan, and the cluster is created', async () => {
    await next(page, /right/);
    const settings = page.locator('main form dl').first();
    for (const value of [name, 'PostgreSQL', '512 MiB of memory, 2 GiB of disk', 'Asynchronous']) {
      await expect(settings).toContainText(value);
    }
    await expect(page.getByText('Copy the data to the replicas')).toBeVisible();
    await page.getByRole('button', { name: 'Create cluster' }).click();
    await expect(page.getByRole('heading', { level: 1, name })).toBeVisible();
    await expect(page.getByText('Creating', { exact: true })).toBeVisible();
    await expect(page.getByText('Healthy', { exact: true }).first()).toBeVisible({
      timeout: CREATION_MS,
    });
  });

  await test.step('the overview shows who is who and how to connect', async () => {
    const topology = page.getByRole('img', { name: `Topology of ${name}` });
    await expect(topology).toContainText('Primary', { timeout: OPERATION_MS });
    await expect(topology.getByText('Replica', { exact: true })).toHaveCount(2);
    await expect(page.getByText(/psql "host=/)).toBeVisible();
    await page.getByText('JDBC', { exact: true }).click();
    await expect(page.getByText(/jdbc:postgresql:/)).toBeVisible();
    await expect(page.getByText(/password=PASSWORD/)).toBeVisible();
    await page.getByRole('button', { name: 'Show' }).click();
    await expect(page.getByText(/password=PASSWORD/)).toBeHidden();
    await page.getByRole('button', { name: 'Hide' }).click();
    await page.getByText('psql', { exact: true }).click();
  });

  await test.step('a replica is promoted, and the table follows by itself', async () => {
    await openTab(page, 'Nodes');
    const primary = await nodeWithRole(page, 'Primary');
    const replica = await nodeWithRole(page, 'Replica');
    await page.getByRole('button', { name: `Actions for ${primary}` }).click();
    await expect(page.getByText(`${primary} is the primary already`)).toBeVisible();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: `Actions for ${replica}` }).click();
    await page.getByRole('menuitem', { name: /Promote/ }).click();
    const dialog = page.getByRole('dialog');
    await expect(dialog).toContainText(`Makes ${replica} the primary`);
    await expect(dialog).toContainText(/wait about/);
    await dialog.getByRole('button', { name: 'Promote' }).click();
    await expect(row(page, replica).getByText('Primary', { exact: true })).toBeVisible({
      timeout: OPERATION_MS,
    });
    await expect(row(page, primary).getByText('Replica', { exact: true })).toBeVisible({
      timeout: OPERATION_MS,
    });
    await expect(page.getByRole('region', { name: `Promote ${replica}` })).toContainText(
      'succeeded',
      { timeout: OPERATION_MS },
    );
    await openTab(page, 'Activity');
    await page.getByRole('button', { name: new RegExp(`Promote ${replica}`) }).click();
    await expect(page.getByText('New primary', { exact: true })).toBeVisible();
  });

  await test.step('all data is copied anew after a dialog that says what goes where', async () => {
    await openTab(page, 'Nodes');
    const replica = await nodeWithRole(page, 'Replica');
    const resync = page.getByRole('button', { name: 'Resync…' });
    await expect(resync).not.toHaveAttribute('aria-disabled', 'true', { timeout: OPERATION_MS });
    await resync.click();
    const dialog = page.getByRole('dialog');
    await expect(dialog).toContainText(`${replica}: all of its data`);
    await expect(dialog).toContainText('at least 1 copy beside the primary');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: `Actions for ${replica}` }).click();
    await page.getByRole('menuitem', { name: /Copy its data anew/ }).click();
    await expect(dialog).toContainText(`anew from`);
    await dialog.getByRole('button', { name: 'Erase and copy anew' }).click();
    await expect(page.getByRole('region', { name: `Resync ${replica}` })).toContainText(
      'succeeded',
      { timeout: OPERATION_MS },
    );
  });

  await test.step('a picture of it for the README', async () => {
    await openTab(page, 'Overview');
    await expect(page.getByText('Healthy', { exact: true }).first()).toBeVisible({
      timeout: OPERATION_MS,
    });
    const dismiss = page.getByRole('button', { name: 'Dismiss' });
    for (let left = await dismiss.count(); left > 0; left -= 1) {
      await dismiss.first().click();
      await expect(dismiss).toHaveCount(left - 1);
    }
    await page.mouse.move(0, 0);
    await page.screenshot({ path: picture, animations: 'disabled' });
  });

  await test.step('the cluster is deleted by typing its name', async () => {
    await openTab(page, 'Settings');
    await page.getByRole('button', { name: /Delete cluster/ }).click();
    const dialog = page.getByRole('dialog');
    await expect(dialog).toContainText(`${name}-1: its machine and its disk`);
    const remove = dialog.getByRole('button', { name: 'Delete for ever' });
    await dialog.getByLabel(/to confirm/).fill('something else');
    await expect(remove).toBeDisabled();
    await dialog.getByLabel(/to confirm/).fill(name);
    await remove.click();
    await expect(page.getByRole('heading', { name: `${name} is deleted` })).toBeVisible({
      timeout: OPERATION_MS,
    });
    await page.getByRole('link', { name: 'Go to the clusters' }).click();
    await expect(page.getByRole('link', { name })).toHaveCount(0);
    await goTo(page, '/activity');
    await expect(page.getByRole('button', { name: /Delete cluster/ }).first()).toContainText(name);
  });
  expect(errors).toEqual([]);
});
