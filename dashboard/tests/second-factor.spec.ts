import { createHmac } from 'node:crypto';

import { expect, test } from '@playwright/test';

import { at, goTo, signIn } from './app';

const user = `careful-${Date.now().toString(36)}`;

/** The six digits that an application shows so many steps from now (RFC 6238). */
function code(secret: string, steps: number): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret.replace(/=+$/, '')]
    .map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0'))
    .join('');
  const bytes = bits.match(/.{8}/g)?.map((byte) => Number.parseInt(byte, 2)) ?? [];
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const digest = createHmac('sha1', Buffer.from(bytes)).update(counter).digest();
  const offset = (digest.at(-1) ?? 0) & 15;
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

test('a second factor is set up, asked for, and taken away by an owner', async ({
  page,
  browser,
}) => {
  await signIn(page);
  const password = 'a sentence is easier';
  const made = await page.request.post(at('/v1/users'), {
    headers: { 'x-bellwether': '1' },
    data: { name: user, password, access: { everywhere: 'viewer' } },
  });
  expect(made.status()).toBe(201);

  const other = await (await browser.newContext()).newPage();
  const enter = async () => {
    await goTo(other, '/sign-in');
    await other.getByLabel('User').fill(user);
    await other.getByLabel('Password', { exact: true }).fill(password);
    await other.getByRole('button', { name: 'Sign in' }).click();
  };
  await enter();
  await expect(other.getByRole('heading', { level: 1, name: 'Clusters' })).toBeVisible();
  await goTo(other, '/account/sessions');
  await other.getByRole('button', { name: /Use an application/ }).click();
  await other.getByLabel('Your password, again').fill(password);
  await other.getByRole('button', { name: 'Next' }).click();
  await expect(other.getByRole('img', { name: /QR code/ })).toBeVisible();
  const secret = (await other.getByLabel('Secret', { exact: true }).first().innerText()).trim();
  await other.getByLabel('First code').fill('000000');
  await other.getByRole('button', { name: 'Confirm' }).click();
  await expect(other.getByRole('alert')).toContainText('The code is wrong');
  await other.getByLabel('First code').fill(code(secret, 0));
  await other.getByRole('button', { name: 'Confirm' }).click();
  await expect(other.getByText(/Keep these/)).toBeVisible();
  await other.getByRole('button', { name: 'Done' }).click();
  await expect(other.getByText(/Signing in takes a code/)).toBeVisible();

  await other.context().clearCookies();
  await enter();
  await expect(other.getByRole('alert')).toContainText('code of your application is needed');
  await other.getByLabel('Code', { exact: true }).fill(code(secret, 1));
  await other.getByRole('button', { name: 'Sign in' }).click();
  await expect(other.getByRole('heading', { level: 1, name: 'Clusters' })).toBeVisible();

  await goTo(page, '/people');
  await page.getByRole('button', { name: `Actions for ${user}` }).click();
  await page.getByRole('menuitem', { name: /second factor/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Take it away' }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await other.context().clearCookies();
  await enter();
  await expect(other.getByRole('heading', { level: 1, name: 'Clusters' })).toBeVisible();
  await other.context().close();
});
