import { execFileSync, spawn } from 'node:child_process';

import { expect, test } from '@playwright/test';

import { at, CREATION_MS, goTo, openTab, OPERATION_MS, signIn } from './app';

const name = `data-${Date.now().toString(36)}`;

interface Connection {
  user: string;
  database: string;
  password: string;
  read_write: string[];
}

/** A client of the database, inside the node's machine, through the node's endpoint. */
function client(node: string, connection: Connection) {
  const filter = `label=org.bellwether.node=${node}`;
  const container = execFileSync('docker', ['ps', '-q', '--filter', filter], { encoding: 'utf8' });
  const [host, port] = (connection.read_write[0] ?? '').split(':');
  const way =
    `host=${host} port=${port} user=${connection.user} dbname=${connection.database} ` +
    `password=${connection.password} sslmode=require application_name=the-one-that-stays`;
  const psql = spawn('docker', ['exec', '-i', container.trim(), 'psql', '-AtX', way]);
  let said = '';
  psql.stdout.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  return {
    ask: async (statement: string, answer: string) => {
      psql.stdin.write(`${statement};\n`);
      await expect.poll(() => said, { timeout: 30_000 }).toContain(answer);
    },
    leave: () => psql.stdin.end(),
  };
}

test('a password is rotated while a client stays connected', async ({ page }) => {
  await signIn(page);
  const spec = {
    name,
    engine: 'postgresql',
    nodes: 1,
    size: { cpus: 1, memory: '512MiB', disk: '2GiB' },
    allowlist: [{ address: 'server' }],
  };
  const headers = { 'x-bellwether': '1' };
  const made = await page.request.post(at('/v1/clusters'), { data: spec, headers });
  expect(made.status()).toBe(201);
  await goTo(page, `/clusters/${name}`);
  await expect(page.getByText('Healthy', { exact: true }).first()).toBeVisible({
    timeout: CREATION_MS,
  });

  await openTab(page, 'Databases');
  const databases = page.getByRole('list', { name: 'Databases' });
  await page.getByRole('button', { name: 'Add database…' }).click();
  const adding = page.getByRole('dialog', { name: 'What is the database called?' });
  await adding.getByLabel('Name').fill('shop');
  await adding.getByRole('button', { name: 'Add database' }).click();
  await expect(databases.getByRole('listitem').filter({ hasText: 'shop' })).toContainText(
    'in force',
    { timeout: OPERATION_MS },
  );

  await page.getByRole('button', { name: 'Add user…' }).click();
  const asking = page.getByRole('dialog', { name: 'Who shall use the databases?' });
  await asking.getByLabel('Name').fill('web');
  await asking.getByLabel('Rights on shop').selectOption('owner');
  await asking.getByRole('button', { name: 'Add user' }).click();
  const users = page.getByRole('list', { name: 'Users' });
  const web = users.getByRole('listitem').filter({ hasText: 'owns shop' });
  await expect(web).toContainText('in force', { timeout: OPERATION_MS });

  const path = `/v1/clusters/${name}/connection?reveal=true&user=web`;
  const connection = (await (await page.request.get(at(path))).json()) as Connection;
  const nodes = (await (await page.request.get(at(`/v1/clusters/${name}/nodes`))).json()) as {
    items: { id: string }[];
  };
  const stays = client(nodes.items[0]?.id ?? '', connection);
  await stays.ask("CREATE TABLE goods (name text); SELECT 'it is ' || 'made'", 'it is made');

  await page.getByRole('button', { name: 'Actions for web' }).click();
  await page.getByRole('menuitem', { name: 'Rotate the password…' }).click();
  const rotating = page.getByRole('dialog', { name: 'Rotate the password of web?' });
  await expect(rotating).toContainText('web_b');
  await rotating.getByRole('button', { name: 'Begin' }).click();
  await expect(web).toContainText('logs in as web_b');
  await expect(web).toContainText('the-one-that-stays · 1 session');
  await stays.ask("INSERT INTO goods VALUES ('bell'); SELECT 'it ' || 'stayed'", 'it stayed');
  await expect(page.getByRole('button', { name: 'End the rotation' })).toHaveCount(0);
  stays.leave();
  await expect(web).toContainText('Nobody uses it.', { timeout: 30_000 });
  await page.getByRole('button', { name: 'End the rotation' }).click();
  await expect(web).not.toContainText('is being replaced');
  await expect(web).toContainText('logs in as web_b');

  await page.setViewportSize({ width: 360, height: 740 });
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - window.innerWidth,
  );
  expect(overflow).toBeLessThanOrEqual(0);
  const gone = await page.request.delete(at(`/v1/clusters/${name}?confirm=${name}`), { headers });
  expect(gone.status()).toBe(202);
});
