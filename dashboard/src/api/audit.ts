import { getV1Audit, getV1AuditVerification } from './generated/sdk.gen';
import { body } from './http';
import type { AuditEntry, Page } from './types';

export const listAudit = (after?: string, signal?: AbortSignal) =>
  body(
    getV1Audit({ query: { limit: 100, ...(after && { after: Number(after) }) }, signal }),
  ) as Promise<Page<AuditEntry>>;

export const verifyAudit = () => body(getV1AuditVerification());
