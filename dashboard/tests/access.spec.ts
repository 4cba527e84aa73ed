import { expect, test } from '@playwright/test';

import { at, signIn } from './app';

test('a wrong password is refused in words, and pages ask to sign in', async ({ page }) => {
  await page.goto(at('/clusters/anything'));
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
  await page.goto(at('/clusters'));
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
});

test('works by keyboard, in the dark, and on a phone', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'dark' });
  await signIn(page);
  await expect(page.locator('html')).toHaveAttribute('data-mantine-color-scheme', 'dark');
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to the content' })).toBeFocused();
  await page.setViewportSize({ width: 360, height: 740 });
  for (const path of ['/clusters', '/activity', '/new-cluster', '/account/password', '/nothing']) {
    await page.goto(at(path));
    await expect(page.getByRole('heading').first()).toBeVisible();
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - window.innerWidth,
    );
    expect(overflow, `${path} is too wide`).toBeLessThanOrEqual(0);
  }
});
