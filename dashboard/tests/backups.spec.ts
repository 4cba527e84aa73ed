import { expect, type Page, test } from '@playwright/test';

import { at, CREATION_MS, goTo, next, OPERATION_MS, signIn } from './app';
import { startStore, type Store } from './store';

const name = `kept-${Date.now().toString(36)}`;
const copy = `copy-${name}`;
const vault = `vault-${name}`;
let store: Store;

test.beforeAll(async () => {
  store = await startStore();
});
test.afterAll(() => store.stop());

/** Fills in where the repository is and what opens it. */
async function fillIn(page: Page, address: string): Promise<void> {
  await page.getByRole('button', { name: 'Register a repository…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill(vault);
  await dialog.getByLabel('Address of the store').fill(address);
  await dialog.getByLabel('Bucket', { exact: true }).fill(vault);
  await dialog.getByLabel('Access key', { exact: true }).fill('access');
  await dialog.getByRole('textbox', { name: 'Secret of the access key' }).fill('secret');
}

async function register(page: Page): Promise<string> {
  await page.getByRole('link', { name: 'Backups', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await fillIn(page, 's3.example.com');
  await dialog.getByLabel('Name').fill('');
  await dialog.getByRole('button', { name: 'Register' }).click();
  await expect(dialog.getByText('This is needed.')).toHaveCount(1);
  await expect(dialog.getByLabel('Name')).toBeFocused();
  await dialog.getByLabel('Name').fill(vault);
  await dialog.getByRole('button', { name: 'Register' }).click();
  await expect(dialog.getByText(/It begins with https/)).toBeVisible();
  await dialog.getByLabel('Address of the store').fill(store.url);
  await dialog.getByRole('button', { name: 'Register' }).click();
  await expect(dialog).toContainText(`${vault} is registered`, { timeout: OPERATION_MS });
  await dialog.getByRole('button', { name: 'Show the key' }).click();
  const key = (await dialog.locator('pre').innerText()).trim();
  await dialog.getByRole('button', { name: 'Done' }).click();
  return key;
}

test('a backup is taken, proven, restored into a new cluster, and deleted with care', async ({
  page,
}, info) => {
  await signIn(page);
  const send = (method: string, path: string, data?: unknown) =>
    page.request.fetch(at(path), { method, data, headers: { 'x-bellwether': '1' } });
  const size = { cpus: 1, memory: '512MiB', disk: '2GiB' };
  const spec = { name, engine: 'postgresql', nodes: 1, size };
  expect((await send('POST', '/v1/clusters', spec)).status()).toBe(201);

  let key = '';
  await test.step('a repository is registered, with its errors at their fields', async () => {
    key = await register(page);
    expect(key.length).toBeGreaterThan(30);
    await expect(page.getByRole('list', { name: 'Repositories' })).toContainText('0 backups');
  });

  const history = page.getByRole('list', { name: 'Backups, newest first' });
  const dialog = page.getByRole('dialog');
  await test.step('backups begin by themselves, said in plain words', async () => {
    await goTo(page, `/clusters/${name}?tab=backups`);
    await expect(page.getByText('Healthy', { exact: true }).first()).toBeVisible({
      timeout: CREATION_MS,
    });
    await expect(page.getByText(/there is no complete backup/)).toBeVisible();
    await page.getByRole('button', { name: 'Set a schedule…' }).click();
    await dialog.getByRole('radio', { name: 'As cron has it' }).check();
    await dialog.getByLabel('Repository').selectOption(vault);
    await dialog.getByRole('textbox', { name: 'As cron has it' }).fill('30 25 * * *');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await expect(dialog.getByText(/is no schedule/)).toBeVisible();
    await dialog.getByRole('textbox', { name: 'As cron has it' }).fill('30 4 * * 1');
    await expect(dialog.getByText('That is every Monday at 04:30 UTC.')).toBeVisible();
    await dialog.getByRole('button', { name: 'Save' }).click();
    await expect(page.getByText('Every Monday at 04:30 UTC', { exact: true })).toBeVisible();
    await expect(page.getByText(/, in \d+ (d|h|min)/)).toBeVisible();
  });

  await test.step('one is taken now, and proven', async () => {
    await page.getByRole('button', { name: 'Back up now…' }).click();
    await dialog.getByRole('button', { name: 'Back up now' }).click();
    await expect(history.getByText('Complete')).toBeVisible({ timeout: OPERATION_MS });
    await expect(page.getByText('Recoverable up to')).toBeVisible();
    await expect(page.getByText(/Not proven yet/)).toBeVisible();
    await history.getByRole('button').first().click();
    await expect(history.getByText(`${name}-1, the primary`)).toBeVisible();
    await history.getByRole('button', { name: /^Prove the backup/ }).click();
    await expect(page.getByText(`A backup of ${name} is being proven.`)).toBeVisible();
  });

  await test.step('meanwhile it is restored into a new cluster, after every setting was shown', async () => {
    await history.getByRole('button', { name: /^Restore the backup/ }).click();
    await expect(page.getByRole('heading', { level: 2, name: 'Which backup?' })).toBeVisible();
    await expect(page.getByRole('radio', { name: new RegExp(`^${name}`) })).toBeChecked();
    await next(page, /how large/);
    await expect(page.getByLabel('Memory, GiB')).toHaveValue('0.5');
    await next(page, /How many nodes/);
    await next(page, /reach/);
    await next(page, /called/);
    await page.getByLabel('Name', { exact: true }).fill(copy);
    await next(page, /right/);
    await expect(page.locator('main form dl').first()).toContainText(`${name} as it was`);
    await page.getByRole('button', { name: 'Restore', exact: true }).click();
    await expect(page.getByRole('heading', { level: 1, name: copy })).toBeVisible();
    await expect(page.getByText('Healthy', { exact: true }).first()).toBeVisible({
      timeout: CREATION_MS,
    });
    await goTo(page, `/clusters/${name}?tab=backups`);
    await expect(history.getByText('Proven', { exact: true })).toBeVisible({
      timeout: CREATION_MS,
    });
    await expect(page.getByText('Proven up to')).toBeVisible();
    await expect(page.getByText(/Not proven yet/)).toBeHidden();
  });

  await test.step('a repository is forgotten with care, and known again by its key', async () => {
    const forget = async () => {
      await page.getByRole('button', { name: `Actions for ${vault}` }).click();
      await page.getByRole('menuitem', { name: 'Forget…' }).click();
      await dialog.getByLabel(/to confirm/).fill(vault);
      await dialog.getByRole('button', { name: 'Forget it' }).click();
    };
    await goTo(page, '/backups');
    await forget();
    await expect(dialog.getByRole('alert')).toContainText(/the schedule of .* uses it/i);
    await goTo(page, `/clusters/${name}?tab=backups`);
    await page.getByRole('button', { name: 'Change…' }).click();
    await dialog.getByRole('radio', { name: 'Never' }).check();
    await dialog.getByRole('button', { name: 'Save' }).click();
    await expect(page.getByText(/No backup begins by itself/)).toBeVisible();
    await goTo(page, '/backups');
    await expect(history).toContainText(name);
    await forget();
    await expect(page.getByRole('button', { name: `Actions for ${vault}` })).toBeHidden();
    await fillIn(page, store.url);
    await dialog.getByRole('checkbox', { name: /backups in it already/ }).check();
    await dialog.getByRole('textbox', { name: 'Its encryption key' }).fill(key);
    await dialog.getByRole('button', { name: 'Register' }).click();
    await expect(dialog).toContainText('1 backup is listed from now on', { timeout: OPERATION_MS });
    await dialog.getByRole('button', { name: 'Done' }).click();
  });

  await test.step('it is deleted only after its cluster’s name was typed', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    await goTo(page, `/clusters/${name}?tab=backups`);
    await history.getByRole('button').first().click();
    await expect(history.getByText('found in the repository')).toBeVisible();
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - window.innerWidth,
    );
    expect(overflow).toBeLessThanOrEqual(0);
    await history.getByRole('button', { name: /^Delete the backup/ }).click();
    await expect(dialog).toContainText(`the only complete backup of ${name}`);
    const remove = dialog.getByRole('button', { name: 'Delete for ever' });
    await dialog.getByLabel(/to confirm/).fill('something else');
    await expect(remove).toBeDisabled();
    await dialog.getByLabel(/to confirm/).fill(name);
    await remove.click();
    await expect(page.getByText('There is no backup yet.')).toBeVisible({ timeout: OPERATION_MS });
  });

  await test.step('its cluster goes when it is not protected, after a last backup', async () => {
    await page.setViewportSize({ width: 1280, height: 900 });
    await goTo(page, `/clusters/${name}?tab=settings`);
    const go = page.getByRole('button', { name: 'Delete cluster…' });
    await page.getByRole('button', { name: 'Protect from deletion' }).click();
    await expect(page.getByText(/it is protected from deletion/)).toBeVisible();
    await expect(go).toBeDisabled();
    await page.getByRole('button', { name: 'Take the protection off' }).click();
    await go.click();
    await expect(dialog).toContainText('There is no backup of it');
    await dialog.getByRole('checkbox', { name: 'Take a last backup first' }).check();
    await expect(dialog.getByText('There is no backup of it')).toHaveCount(0);
    await page.screenshot({ path: info.outputPath('last-backup.png') });
    await dialog.getByLabel(/to confirm/).fill(name);
    await dialog.getByRole('button', { name: 'Delete for ever' }).click();
    await expect(page.getByRole('heading', { name: `${name} is deleted` })).toBeVisible({
      timeout: OPERATION_MS,
    });
    await goTo(page, '/backups');
    await expect(page.getByText(`${name} ·`)).toBeVisible();
  });

  expect((await send('DELETE', `/v1/clusters/${copy}?confirm=${copy}`)).status()).toBe(202);
  expect((await send('DELETE', `/v1/repositories/${vault}`)).status()).toBe(204);
});
