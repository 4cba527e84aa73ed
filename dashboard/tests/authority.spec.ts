import { expect, test } from '@playwright/test';

import { at, goTo, signIn } from './app';

const user = `looker-${Date.now().toString(36)}`;

test('another authority takes the place of the one that signs', async ({ page, browser }) => {
  await signIn(page);
  await page.getByRole('link', { name: 'People' }).click();
  await page.getByRole('link', { name: 'Certificate authority' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Certificate authority' })).toBeVisible();
  const rows = page.getByRole('table').first().getByRole('row');
  const former = await rows.nth(1).getByRole('cell').nth(1).innerText();

  await page.getByRole('button', { name: 'Rotate…' }).click();
  await page.getByRole('button', { name: 'Make another authority' }).click();
  await expect(page.getByText('Introduced', { exact: true })).toBeVisible({ timeout: 30_000 });
  await expect(page.getByRole('status').filter({ hasText: 'Give clients' })).toBeVisible();
  await expect(rows.filter({ hasText: 'Will sign' })).toBeVisible();
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download ca.pem' }).click();
  expect((await download).suggestedFilename()).toBe('ca.pem');

  // Whoever may only look is told why not.
  const password = 'a sentence is easier';
  const made = await page.request.post(at('/v1/users'), {
    headers: { 'x-bellwether': '1' },
    data: { name: user, password, access: { everywhere: 'viewer' } },
  });
  expect(made.status()).toBe(201);
  const other = await (await browser.newContext()).newPage();
  await goTo(other, '/sign-in?next=%2Fauthority');
  await other.getByLabel('User').fill(user);
  await other.getByLabel('Password', { exact: true }).fill(password);
  await other.getByRole('button', { name: 'Sign in' }).click();
  const end = other.getByRole('button', { name: 'End the rotation…' });
  await expect(end).toHaveAttribute('aria-disabled', 'true');
  await end.hover();
  await expect(other.getByText('An owner may.')).toBeVisible();

  await page.getByRole('button', { name: 'End the rotation…' }).click();
  await expect(page.getByText('cannot connect any more')).toBeVisible();
  await page.getByRole('button', { name: 'Let it sign' }).click();
  await expect(page.getByText('Settled', { exact: true })).toBeVisible({ timeout: 30_000 });
  await expect(rows).toHaveCount(2);
  expect(await rows.nth(1).getByRole('cell').nth(1).innerText()).not.toBe(former);
  await page.request.delete(at(`/v1/users/${user}`), { headers: { 'x-bellwether': '1' } });
});
