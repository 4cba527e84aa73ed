// How the tests use the dashboard: by what a person sees.

import { expect, type Locator, type Page } from '@playwright/test';

/** Making machines and databases takes its time on a small machine. */
export const CREATION_MS = 180_000;
export const OPERATION_MS = 90_000;

function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

export const at = (path: string): string => `${setting('BELLWETHER_URL')}${path}`;

/**
 * Opens a page of the dashboard. A browser gives up what it loads when a network comes or goes on its
 * machine, and here those of the databases do: as a person would, it is loaded again.
 */
export async function goTo(page: Page, path: string): Promise<void> {
  await expect(async () => {
    await page.goto(at(path));
    await expect(page.getByRole('heading').first()).toBeVisible({ timeout: 5_000 });
  }).toPass({ timeout: 30_000 });
}

export async function signIn(page: Page): Promise<void> {
  await goTo(page, '/');
  await page.getByLabel('User').fill(setting('BELLWETHER_USER'));
  await page.getByLabel('Password', { exact: true }).fill(setting('BELLWETHER_PASSWORD'));
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Clusters' })).toBeVisible();
  await expect(page.getByText('Live', { exact: true })).toBeVisible();
}

export async function next(page: Page, question: string | RegExp): Promise<void> {
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(page.getByRole('heading', { level: 2, name: question })).toBeVisible();
}

export const openTab = (page: Page, name: string): Promise<void> =>
  page.getByRole('tab', { name }).click();

/** The row of a node in the table. */
export const row = (page: Page, node: string): Locator =>
  page.getByRole('row').filter({ hasText: node });

/** The name of a node that has this role, from the table. */
export async function nodeWithRole(page: Page, role: 'Primary' | 'Replica'): Promise<string> {
  const found = page.getByRole('row').filter({ has: page.getByText(role, { exact: true }) });
  const text = await found.first().getByRole('button').first().getAttribute('aria-label');
  return (text ?? '').replace('Actions for ', '');
}
