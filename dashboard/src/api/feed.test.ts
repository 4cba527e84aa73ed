import { QueryClient } from '@tanstack/react-query';
import { beforeEach, describe, expect, it } from 'vitest';

import { cluster, node, operation } from '../test/samples';
import { applyEvents } from './feed';
import { keys } from './keys';
import type { Pages } from './queries';
import type { ClusterView, NodeView, Operation, Page } from './types';

const pages = <T>(...all: Page<T>[]): Pages<T> => ({
  pages: all,
  pageParams: all.map(() => undefined),
});

describe('events feed the cache', () => {
  let client: QueryClient;
  const clusters = () => client.getQueryData<Pages<ClusterView>>(keys.clusters);
  const nodes = () => client.getQueryData<NodeView[]>(keys.nodes('c1'));
  const operations = (list?: string) =>
    client.getQueryData<Pages<Operation>>(keys.operations(list));
  const names = (list: Pages<ClusterView> | undefined) =>
    list?.pages.map((page) => page.items.map((item) => item.name));

  beforeEach(() => {
    client = new QueryClient();
  });

  it('replaces a cluster wherever it is shown', () => {
    client.setQueryData(keys.clusters, pages({ items: [cluster()] }));
    client.setQueryData(keys.cluster('demo'), cluster());
    applyEvents(client, [{ kind: 'cluster', cluster: cluster({ phase: 'degraded' }) }]);
    expect(clusters()?.pages[0]?.items[0]?.phase).toBe('degraded');
    expect(client.getQueryData<ClusterView>(keys.cluster('demo'))?.phase).toBe('degraded');
  });

  it('lists a new cluster, but not before the pages between are read', () => {
    const orders = cluster({ id: 'c2', name: 'orders' });
    client.setQueryData(keys.clusters, pages({ items: [cluster()] }));
    applyEvents(client, [{ kind: 'cluster', cluster: orders }]);
    expect(names(clusters())).toEqual([['demo', 'orders']]);

    client.setQueryData(keys.clusters, pages({ items: [cluster()], next: 'c1' }));
    applyEvents(client, [{ kind: 'cluster', cluster: orders }]);
    expect(names(clusters())).toEqual([['demo']]);
  });

  it('keeps nothing that nobody asked for', () => {
    applyEvents(client, [
      { kind: 'cluster', cluster: cluster() },
      { kind: 'node', node: node(1) },
    ]);
    expect(clusters()).toBeUndefined();
    expect(nodes()).toBeUndefined();
  });

  it('says of a cluster that is looked at that it has gone, until its name is used again', () => {
    client.setQueryData(keys.clusters, pages({ items: [cluster()] }));
    client.setQueryData(keys.cluster('demo'), cluster());
    applyEvents(client, [{ kind: 'cluster_gone', id: 'c1' }]);
    expect(names(clusters())).toEqual([[]]);
    expect(client.getQueryData(keys.gone('demo'))).toBe('c1');
    applyEvents(client, [{ kind: 'cluster', cluster: cluster({ id: 'c9' }) }]);
    expect(client.getQueryData(keys.gone('demo'))).toBeNull();
    expect(client.getQueryData<ClusterView>(keys.cluster('demo'))?.id).toBe('c9');
  });

  it('keeps nodes in their order and removes one by its id alone', () => {
    client.setQueryData(keys.nodes('c1'), [node(1), node(3)]);
    applyEvents(client, [
      { kind: 'node', node: node(2) },
      { kind: 'node', node: node(1, { role: 'replica' }) },
    ]);
    expect(nodes()?.map((one) => one.name)).toEqual(['demo-1', 'demo-2', 'demo-3']);
    expect(nodes()?.[0]?.role).toBe('replica');
    applyEvents(client, [{ kind: 'node_gone', id: 'n2', cluster: '' }]);
    expect(nodes()?.map((one) => one.name)).toEqual(['demo-1', 'demo-3']);
  });

  it('asks for the connection again when a node becomes a member', async () => {
    client.setQueryData(keys.nodes('c1'), [node(1, { phase: 'seeding' })]);
    client.setQueryData(keys.connection('c1', false), {});
    applyEvents(client, [{ kind: 'node', node: node(1, { phase: 'seeding' }) }]);
    expect(client.getQueryState(keys.connection('c1', false))?.isInvalidated).toBe(false);
    applyEvents(client, [{ kind: 'node', node: node(1) }]);
    expect(client.getQueryState(keys.connection('c1', false))?.isInvalidated).toBe(true);
  });

  it('puts a new operation first in the lists it belongs to', () => {
    client.setQueryData(keys.operations(undefined), pages({ items: [operation()] }));
    client.setQueryData(keys.operations('c1'), pages({ items: [operation()] }));
    client.setQueryData(keys.operations('c2'), pages<Operation>({ items: [] }));
    applyEvents(client, [{ kind: 'operation', operation: operation({ id: 'o2' }) }]);
    for (const list of [undefined, 'c1']) {
      expect(operations(list)?.pages[0]?.items.map((one) => one.id)).toEqual(['o2', 'o1']);
    }
    expect(operations('c2')?.pages[0]?.items).toEqual([]);
    applyEvents(client, [{ kind: 'operation_gone', id: 'o1' }]);
    expect(operations('c1')?.pages[0]?.items.map((one) => one.id)).toEqual(['o2']);
  });

  it('reads everything anew after a greeting', () => {
    client.setQueryData(keys.clusters, pages({ items: [cluster()] }));
    applyEvents(client, [{ kind: 'hello', version: '1' }]);
    expect(client.getQueryState(keys.clusters)?.isInvalidated).toBe(true);
  });
});
