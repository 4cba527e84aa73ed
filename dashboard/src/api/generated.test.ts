import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

async function read(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const texts = files.map(async (file) => {
    const path = join(file.parentPath, file.name);
    return [path.slice(folder.length), await readFile(path, 'utf8')] as const;
  });
  return new Map(await Promise.all(texts));
}

it('the committed client is that of the committed document', { timeout: 30_000 }, async () => {
  // Inside the project: the generator looks for its tsconfig.json from there.
  const folder = join(root, 'test-results');
  await mkdir(folder, { recursive: true });
  const output = await mkdtemp(join(folder, 'client-'));
  try {
    await promisify(execFile)(join(root, 'node_modules/.bin/openapi-ts'), ['--output', output], {
      cwd: root,
    });
    const [committed, generated] = await Promise.all([
      read(join(root, 'src/api/generated')),
      read(output),
    ]);
    const differing = [...new Set([...committed.keys(), ...generated.keys()])].filter(
      (path) => committed.get(path) !== generated.get(path),
    );
    expect(differing, 'run `npm run openapi` and commit src/api/generated').toEqual([]);
  } finally {
    await rm(output, { recursive: true });
  }
});
