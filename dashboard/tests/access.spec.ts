import { expect, test } from '@playwright/test';

import { at, goTo, signIn } from './app';

test('a wrong password is refused in words, and pages ask to sign in', async ({ page }) => {
  await goTo(page, '/clusters/anything');
  await expect(page).toHaveURL(/\/sign-in\?next=/);
  await page.getByLabel('User').fill('admin');
  await page.getByLabel('Password', { exact: true }).fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert')).toContainText('password is wrong');
});

test('signing out ends the session, also for the back button', async ({ page }) => {
  await signIn(page);
  await page.getByRole('button', { name: /^Account/ }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  await goTo(page, '/clusters');
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
});

test('works by keyboard, in the dark, and on a phone', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'dark' });
  await signIn(page);
  await expect(page.locator('html')).toHaveAttribute('data-mantine-color-scheme', 'dark');
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to the content' })).toBeFocused();
  await page.setViewportSize({ width: 360, height: 740 });
  const paths = ['/clusters', '/backups', '/activity', '/new-cluster', '/people', '/audit'];
  for (const path of [...paths, '/account/password', '/account/sessions', '/nothing']) {
    await goTo(page, path);
    await expect(page.getByRole('heading').first()).toBeVisible();
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - window.innerWidth,
    );
    expect(overflow, `${path} is too wide`).toBeLessThanOrEqual(0);
  }
});

test('the audit log is shown and verified, and a token is made with a role and ended', async ({
  page,
}) => {
  await signIn(page);
  await page.getByRole('link', { name: 'People' }).click();
  await page.getByRole('link', { name: 'Audit log' }).click();
  await expect(page.getByRole('cell', { name: 'session.create' }).first()).toBeVisible();
  await page.getByRole('button', { name: 'Verify' }).click();
  await expect(page.getByText(/each follows from the one before/)).toBeVisible();

  await goTo(page, '/account/sessions');
  await expect(page.getByText('(this one)')).toBeVisible();
  await page.getByLabel('What it is for').fill('the test');
  await page.getByLabel('What it may at most').selectOption('viewer');
  await page.getByRole('button', { name: 'Make a token' }).click();
  const secret = (await page.locator('pre').innerText()).trim();
  const asToken = { authorization: `Bearer ${secret}` };
  const me = await page.request.get(at('/v1/me'), { headers: asToken });
  expect((await me.json()).access).toEqual({ everywhere: 'viewer' });
  const users = await page.request.get(at('/v1/users'), { headers: asToken });
  expect(users.status()).toBe(403);
  await page.getByRole('button', { name: 'Delete the token the test' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete token' }).click();
  await expect(page.getByRole('list', { name: /Tokens/ })).not.toContainText('the test');
  const gone = await page.request.get(at('/v1/me'), { headers: asToken });
  expect(gone.status()).toBe(401);
});
