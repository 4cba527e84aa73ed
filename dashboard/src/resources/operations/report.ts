import type { Operation } from '../../api/types';
import { formatPosition } from '../../ui/format';
import { messages } from './operations.messages';

/** What the steps have learned, as rows for people. Ids are left out where there is a name. */
export function reportRows(state: unknown): [string, string][] {
  if (typeof state !== 'object' || state === null || Array.isArray(state)) return [];
  const known = new Map(Object.entries(state));
  const rows: [string, string][] = [];
  for (const [key, label] of Object.entries(messages.reportLabels)) {
    const words = valueWords(key, known.get(key), known.get('unit') === 'transactions');
    if (words !== '') rows.push([label, words]);
  }
  return rows;
}

function valueWords(key: string, value: unknown, inTransactions: boolean): string {
  const amount = inTransactions ? messages.transactions : messages.bytes;
  if (value === null || value === undefined || value === '') return '';
  if (isPosition(value)) return formatPosition(value);
  if (typeof value === 'number') {
    if (key === 'found_bytes') return messages.bytes(value);
    if (key === 'missing_bytes') return value === 0 ? messages.nothingLost : amount(value);
    if (key === 'rescued_bytes') return value === 0 ? '' : amount(value);
    if (key.endsWith('_ms')) return messages.duration(value);
    // Term 0 is before the first primary: nothing was decided yet.
    return key === 'term' && value === 0 ? '' : String(value);
  }
  return typeof value === 'string' ? value : '';
}

function isPosition(value: unknown): value is { timeline: number; offset: number } {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { timeline: unknown }).timeline === 'number' &&
    typeof (value as { offset: unknown }).offset === 'number'
  );
}

/** Who is replaced, who has promised and who is promoted, while the primary changes. */
export function changeWords({ kind, state }: Pick<Operation, 'kind' | 'state'>): string[] {
  if (kind !== 'failover' && kind !== 'switchover') return [];
  const known: Record<string, unknown> = { ...state };
  const text = (key: string) => (typeof known[key] === 'string' ? known[key] : '');
  const promised = Array.isArray(known.promised_names) ? known.promised_names.join(', ') : '';
  const [former, candidate] = [text('former_name'), text('candidate_name')];
  const replaced = kind === 'failover' ? messages.lost : messages.handsOver;
  return [
    former && replaced(former),
    promised && messages.promised(promised),
    candidate && messages.promoting(candidate),
  ].filter((words) => words !== '');
}
