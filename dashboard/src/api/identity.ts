// Signing in through an identity provider: its page is left for, and leads back with a code. What was
// given for the sign-in stays in this tab: nobody else can end it.

import {
  getV1IdentityProvider,
  postV1IdentityProviderSessions,
  postV1IdentityProviderSignIns,
} from './generated/sdk.gen';
import { body } from './http';

const KEPT = 'bellwether-sign-in';

interface Begun {
  binding: string;
  next: string;
}

export const getIdentityProvider = (signal?: AbortSignal) =>
  body(getV1IdentityProvider({ signal }));

/** Leaves for the provider's page. */
export async function leaveToSignIn(next: string): Promise<void> {
  const address = window.location.origin;
  const begun = await body(postV1IdentityProviderSignIns({ body: { address } }));
  const kept: Begun = { binding: begun.binding, next };
  sessionStorage.setItem(KEPT, JSON.stringify(kept));
  window.location.assign(begun.url);
}

/** The sign-in that this tab has begun, once. */
export function takeBegun(): Begun | null {
  const kept = sessionStorage.getItem(KEPT);
  sessionStorage.removeItem(KEPT);
  return kept === null ? null : (JSON.parse(kept) as Begun);
}

export const endSignIn = (binding: string, code: string, state: string) =>
  body(postV1IdentityProviderSessions({ body: { binding, code, state } }));
