import type { QueryClient } from '@tanstack/react-query';

import { applyEvents } from './feed';
import type { Event } from './types';

export type StreamState = 'connecting' | 'live' | 'reconnecting';

const KINDS: readonly Event['kind'][] = [
  'hello',
  'cluster',
  'cluster_gone',
  'node',
  'node_gone',
  'operation',
  'operation_gone',
];

/** Events are written to the cache together, so that a busy cluster does not repaint on each. */
const FLUSH_MS = 150;
const RETRY_MS = [500, 1_000, 2_000, 4_000];

interface Source {
  addEventListener(kind: string, listener: (message: MessageEvent<string>) => void): void;
  close(): void;
  onerror: ((event: never) => unknown) | null;
}

/** Follows the server's events for as long as somebody is signed in; never gives up. */
export class Stream {
  #state: StreamState = 'connecting';
  #listeners = new Set<() => void>();
  #source: Source | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #flush: ReturnType<typeof setTimeout> | undefined;
  #queue: Event[] = [];
  #failures = 0;

  constructor(
    private readonly client: QueryClient,
    private readonly open: () => Source = () => new EventSource('/v1/events'),
    /** Asked after a failure: whether it was the session that ended. */
    private readonly onFailure: () => void = () => undefined,
  ) {}

  get state(): StreamState {
    return this.#state;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  start(): void {
    this.#connect();
  }

  stop(): void {
    clearTimeout(this.#retry);
    clearTimeout(this.#flush);
    this.#source?.close();
    this.#source = undefined;
    this.#queue = [];
    this.#failures = 0;
    this.#set('connecting');
  }

  /** Tries at once instead of after the pause: the network is back, or the page is looked at. */
  readonly hurry = (): void => {
    if (this.#state === 'reconnecting') this.#connect();
  };

  #connect(): void {
    clearTimeout(this.#retry);
    this.#source?.close();
    const source = this.open();
    this.#source = source;
    for (const kind of KINDS) {
      source.addEventListener(kind, (message) => this.#take(kind, message.data));
    }
    source.onerror = () => {
      if (this.#source === source) this.#fail();
    };
  }

  #fail(): void {
    this.#source?.close();
    this.#set('reconnecting');
    this.onFailure();
    const pause = RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)];
    this.#failures += 1;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#connect(), pause);
  }

  #take(kind: Event['kind'], data: string): void {
    let event: Event;
    try {
      event = { ...(JSON.parse(data) as Event), kind } as Event;
    } catch {
      return;
    }
    if (kind === 'hello') {
      this.#failures = 0;
      this.#set('live');
    }
    this.#queue.push(event);
    this.#flush ??= setTimeout(() => {
      this.#flush = undefined;
      applyEvents(this.client, this.#queue.splice(0));
    }, FLUSH_MS);
  }

  #set(state: StreamState): void {
    if (this.#state === state) return;
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}
