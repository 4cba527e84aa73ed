import { QueryClient } from '@tanstack/react-query';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { node } from '../test/samples';
import { keys } from './keys';
import { Stream } from './stream';
import type { NodeView } from './types';

class FakeSource {
  listeners = new Map<string, (message: MessageEvent<string>) => void>();
  onerror: ((event: never) => unknown) | null = null;
  isClosed = false;

  addEventListener(kind: string, listener: (message: MessageEvent<string>) => void) {
    this.listeners.set(kind, listener);
  }

  close() {
    this.isClosed = true;
  }

  say(kind: string, data: unknown) {
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    this.listeners.get(kind)?.({ data: text } as MessageEvent<string>);
  }

  fail() {
    (this.onerror as () => void)();
  }
}

describe('the stream of events', () => {
  let sources: FakeSource[];
  let stream: Stream;
  let client: QueryClient;
  const onFailure = vi.fn();

  beforeEach(() => {
    vi.useFakeTimers();
    sources = [];
    client = new QueryClient();
    onFailure.mockClear();
    stream = new Stream(
      client,
      () => {
        const source = new FakeSource();
        sources.push(source);
        return source;
      },
      onFailure,
    );
    stream.start();
  });

  afterEach(() => {
    stream.stop();
    vi.useRealTimers();
  });

  it('is live once the server has greeted', () => {
    const changes = vi.fn();
    stream.subscribe(changes);
    expect(stream.state).toBe('connecting');
    sources[0]?.say('hello', { kind: 'hello', version: '1' });
    expect(stream.state).toBe('live');
    expect(changes).toHaveBeenCalledTimes(1);
  });

  it('tries again after a pause that grows, and at once when hurried', () => {
    sources[0]?.say('hello', { version: '1' });
    sources[0]?.fail();
    expect(stream.state).toBe('reconnecting');
    expect(sources[0]?.isClosed).toBe(true);
    expect(onFailure).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(500);
    expect(sources).toHaveLength(2);
    sources[1]?.fail();
    vi.advanceTimersByTime(500);
    expect(sources).toHaveLength(2);
    stream.hurry();
    expect(sources).toHaveLength(3);
    sources[2]?.say('hello', { version: '1' });
    expect(stream.state).toBe('live');
    vi.advanceTimersByTime(10_000);
    expect(sources).toHaveLength(3);
  });

  it('writes events together and survives one that is broken', () => {
    client.setQueryData(keys.nodes('c1'), [node(1)]);
    sources[0]?.say('node', '{broken');
    sources[0]?.say('node', { kind: 'node', node: node(2) });
    sources[0]?.say('node', { kind: 'node', node: node(3) });
    const names = () =>
      client.getQueryData<NodeView[]>(keys.nodes('c1'))?.map((one) => one.name);
    expect(names()).toEqual(['demo-1']);
    vi.advanceTimersByTime(150);
    expect(names()).toEqual(['demo-1', 'demo-2', 'demo-3']);
  });

  it('is silent once stopped', () => {
    sources[0]?.fail();
    stream.stop();
    vi.advanceTimersByTime(60_000);
    expect(sources).toHaveLength(1);
  });
});
