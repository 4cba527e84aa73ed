import type { DatabaseView, Grant, Rights } from '../../api/types';

/** What is chosen in the form: rights by database, or the same for patterns of keys. */
export interface Chosen {
  byDatabase: Record<string, Rights | ''>;
  patterns: string;
  keyRights: Rights;
}

export function chosenOf(grants: Grant[]): Chosen {
  return {
    byDatabase: Object.fromEntries(grants.map((grant) => [grant.on, grant.rights])),
    patterns: grants.map((grant) => grant.on).join('\n'),
    keyRights: grants[0]?.rights ?? 'read_write',
  };
}

/** The rights that are asked for; an engine without databases by name knows patterns of keys. */
export function grantsOf(chosen: Chosen, databases: DatabaseView[]): Grant[] {
  if (databases.length === 0) {
    const patterns = chosen.patterns.split(/\s+/).filter((pattern) => pattern !== '');
    return patterns.map((on) => ({ on, rights: chosen.keyRights }));
  }
  return databases.flatMap(({ name, state }) => {
    const rights = chosen.byDatabase[name];
    return rights && state !== 'dropping' ? [{ on: name, rights }] : [];
  });
}
