// Pictures of every page, from the pretended server: `npm run build && npm run screenshots`.
// They go to test-results/screenshots (or the folder that is given), for looking at.

import { mkdir } from 'node:fs/promises';

import { chromium } from '@playwright/test';

import { startMock } from './server.mjs';

const folder = process.argv[2] ?? 'test-results/screenshots';
const only = process.argv[3];
const looks = [
  { name: 'light', viewport: { width: 1280, height: 860 }, colorScheme: 'light' },
  { name: 'dark', viewport: { width: 1280, height: 860 }, colorScheme: 'dark' },
  { name: 'phone', viewport: { width: 390, height: 844 }, colorScheme: 'light' },
];

const shots = {
  'sign-in': async (page) => {
    await page.context().clearCookies();
    await page.goto('/sign-in');
    await page.getByLabel('User').fill('admin');
  },
  clusters: (page) => page.goto('/clusters'),
  overview: (page) => page.goto('/clusters/demo'),
  nodes: async (page) => {
    await page.goto('/clusters/demo?tab=nodes');
    await page.getByRole('button', { name: 'Actions for demo-1' }).click();
  },
  'nodes-primary': async (page) => {
    await page.goto('/clusters/demo?tab=nodes');
    await page.getByRole('button', { name: 'Actions for demo-2' }).click();
  },
  promote: async (page) => {
    await page.goto('/clusters/demo?tab=nodes');
    await page.getByRole('button', { name: 'Actions for demo-1' }).click();
    await page.getByRole('menuitem', { name: 'Promote' }).click();
    await page.getByText('Let the others follow it').waitFor();
  },
  activity: async (page) => {
    await page.goto('/clusters/demo?tab=activity');
    await page.getByRole('button', { name: /Failover/ }).click();
  },
  backups: async (page) => {
    await page.goto('/clusters/demo?tab=backups');
    await page.getByRole('list', { name: /newest/ }).getByRole('button').nth(1).click();
    await page.getByText('Fingerprints').waitFor();
  },
  'backup-schedule': async (page) => {
    await page.goto('/clusters/demo?tab=backups');
    await page.getByRole('button', { name: 'Change' }).click();
    await page.getByText('How many days back').scrollIntoViewIfNeeded();
  },
  repositories: async (page) => {
    await page.goto('/backups');
    await page.getByRole('button', { name: 'Register a repository' }).click();
    await page.getByRole('button', { name: 'Register', exact: true }).click();
  },
  restore: (page) => page.goto('/new-cluster?backup=backup-2'),
  settings: (page) => page.goto('/clusters/demo?tab=settings'),
  parameters: async (page) => {
    await page.goto('/clusters/orders?tab=settings');
    await page.getByLabel('work_mem').fill('64MiB');
    await page.getByLabel('max_connections').fill('300');
  },
  'parameters-review': async (page) => {
    await page.goto('/clusters/demo?tab=settings');
    await page.getByLabel('work_mem').fill('64MiB');
    await page.getByLabel('max_connections').fill('300');
    await page.getByRole('button', { name: 'Review' }).click();
    await page.getByText('What differs').waitFor();
  },
  delete: async (page) => {
    await page.goto('/clusters/demo?tab=settings');
    await page.getByRole('button', { name: 'Delete cluster' }).click();
    await page.getByLabel('Type demo to confirm').fill('dem');
  },
  drill: async (page) => {
    await page.goto('/clusters/orders');
    await page.getByRole('button', { name: 'Run a drill' }).click();
    await page.getByRole('radio', { name: /Failover/ }).check();
  },
  schedule: async (page) => {
    await page.goto('/clusters/demo');
    await page.getByRole('button', { name: 'Schedule' }).click();
    await page.getByRole('radio', { name: /cron/ }).check();
  },
  degraded: (page) => page.goto('/clusters/orders'),
  single: (page) => page.goto('/clusters/reports'),
  'wizard-1': (page) => page.goto('/new-cluster'),
  'wizard-2': async (page) => {
    await page.goto('/new-cluster');
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByLabel('Disk').fill('0.5');
    await page.getByRole('button', { name: 'Next' }).click();
  },
  'wizard-3': async (page) => {
    await forward(page, 2);
    await page.getByRole('radio', { name: /Quorum/ }).check();
    await page.getByLabel('Replicas that confirm').fill('2');
  },
  'wizard-4': async (page) => {
    await forward(page, 3);
    await page.getByLabel('Name').fill('demo');
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByText('already').first().waitFor();
  },
  'wizard-settings': async (page) => {
    await forward(page, 2);
    await page.getByText('Advanced: settings of the engine').click();
    await page.getByLabel('work_mem').fill('64MiB');
  },
  'wizard-5': async (page) => {
    await forward(page, 3);
    await page.getByLabel('Name').fill('billing');
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByText('Open the endpoints').waitFor();
  },
  'all-activity': (page) => page.goto('/activity'),
  password: (page) => page.goto('/account/password'),
  missing: (page) => page.goto('/clusters/nothing'),
  error: async (page) => {
    await page.route('**/v1/clusters?*', (route) => route.abort());
    await page.goto('/clusters');
    await page.getByRole('alert').waitFor();
  },
};

const sceneShots = {
  empty: { empty: (page) => page.goto('/clusters') },
  suspicion: { suspicion: (page) => page.goto('/clusters/demo') },
  failover: { failover: (page) => page.goto('/clusters/demo') },
};

async function forward(page, steps) {
  await page.goto('/new-cluster');
  for (const title of ['Where, and', 'How many', 'Who may', 'What is it'].slice(0, steps)) {
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByRole('heading', { name: title }).waitFor();
  }
}

async function take(browser, url, all, names = Object.keys(all)) {
  for (const look of looks) {
    const context = await browser.newContext({ ...look, baseURL: url, reducedMotion: 'reduce' });
    for (const name of names) {
      await context.addCookies([{ name: 'bellwether_session', value: 'pretended', url }]);
      const page = await context.newPage();
      page.on('pageerror', (error) => console.error(`${name}: ${error}`));
      page.on('console', (message) => {
        if (message.type() === 'error') console.error(`${name}: ${message.text()}`);
      });
      await all[name](page);
      await page.waitForTimeout(700);
      const isDialog = (await page.getByRole('dialog').count()) > 0;
      await page.screenshot({ path: `${folder}/${name}-${look.name}.png`, fullPage: !isDialog });
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - window.innerWidth,
      );
      if (overflow > 0) console.error(`${name}-${look.name}: ${overflow} px too wide`);
      await page.close();
    }
    await context.close();
  }
}

await mkdir(folder, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env.BELLWETHER_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});
for (const [scene, all] of [['demo', shots], ...Object.entries(sceneShots)]) {
  const names = Object.keys(all).filter((name) => !only || only.split(',').includes(name));
  if (names.length === 0) continue;
  const mock = await startMock({ port: 0, scene, stepMs: 60_000 });
  await take(browser, mock.url, all, names);
  mock.close();
}
await browser.close();
