import { request } from './http';
import type { EngineProfile, Page, ProviderView } from './types';

// Both lists are short; the server may answer with a page or with the list itself.
const items = <T>(answer: Page<T> | T[]): T[] => (Array.isArray(answer) ? answer : answer.items);

export const listEngines = async (signal?: AbortSignal) =>
  items(await request<Page<EngineProfile> | EngineProfile[]>('GET', '/v1/engines', { signal }));

export const listProviders = async (signal?: AbortSignal) =>
  items(await request<Page<ProviderView> | ProviderView[]>('GET', '/v1/providers', { signal }));
