import { notifyManager, type QueryClient } from '@tanstack/react-query';

import { keys } from './keys';
import type { Pages } from './queries';
import type { ClusterView, Event, NodeView, Operation } from './types';

/** Writes what changed into the cache. What nobody has asked for is not kept. */
export function applyEvents(client: QueryClient, events: readonly Event[]): void {
  notifyManager.batch(() => {
    for (const event of events) applyEvent(client, event);
  });
}

function applyEvent(client: QueryClient, event: Event): void {
  switch (event.kind) {
    case 'hello':
      // The first message, and whenever some were missed: what is shown is read anew.
      void client.invalidateQueries();
      return;
    case 'cluster':
      applyCluster(client, event.cluster);
      return;
    case 'cluster_gone':
      forgetCluster(client, event.id);
      return;
    case 'node':
      applyNode(client, event.node);
      return;
    case 'node_gone':
      // Not by its cluster: the event may not know it any more.
      client.setQueriesData<NodeView[]>({ queryKey: keys.anyNodes }, (nodes) =>
        nodes?.filter((node) => node.id !== event.id),
      );
      void client.invalidateQueries({ queryKey: keys.anyConnection });
      return;
    case 'operation':
      applyOperation(client, event.operation);
      return;
    case 'operation_gone':
      forgetOperation(client, event.id);
      return;
  }
}

function applyCluster(client: QueryClient, cluster: ClusterView): void {
  client.setQueryData<Pages<ClusterView>>(keys.clusters, (pages) =>
    upsert(pages, cluster, 'last', (item) => item.id === cluster.id),
  );
  client.setQueriesData<ClusterView>({ queryKey: keys.anyCluster }, (known) =>
    known && (known.id === cluster.id || known.name === cluster.name) ? cluster : known,
  );
  // A new cluster may bear the name of one that has gone.
  if (client.getQueryData(keys.gone(cluster.name))) {
    client.setQueryData(keys.gone(cluster.name), null);
  }
}

function forgetCluster(client: QueryClient, id: string): void {
  client.setQueryData<Pages<ClusterView>>(keys.clusters, (pages) =>
    remove(pages, (item) => item.id === id),
  );
  for (const [, cluster] of client.getQueriesData<ClusterView>({ queryKey: keys.anyCluster })) {
    if (cluster?.id === id) client.setQueryData(keys.gone(cluster.name), id);
  }
  client.removeQueries({ queryKey: keys.nodes(id) });
}

function applyNode(client: QueryClient, node: NodeView): void {
  const known = client.getQueryData<NodeView[]>(keys.nodes(node.cluster));
  if (!known) return;
  const before = known.find((item) => item.id === node.id);
  const rest = known.filter((item) => item.id !== node.id);
  client.setQueryData(
    keys.nodes(node.cluster),
    [...rest, node].toSorted((a, b) => a.ordinal - b.ordinal),
  );
  // Endpoints list the nodes that are members in full.
  if (before?.phase !== node.phase) {
    void client.invalidateQueries({ queryKey: keys.anyConnection });
  }
}

function applyOperation(client: QueryClient, operation: Operation): void {
  const isNew = client.getQueryData(keys.operation(operation.id)) === undefined;
  for (const list of [undefined, operation.cluster]) {
    client.setQueryData<Pages<Operation>>(keys.operations(list), (pages) =>
      upsert(pages, operation, 'first', (item) => item.id === operation.id),
    );
  }
  client.setQueryData<Operation>(keys.operation(operation.id), operation);
  // What is made from it is read anew where somebody looks at it.
  void client.invalidateQueries({ queryKey: keys.report(operation.id) });
  if (operation.kind === 'drill') {
    void client.invalidateQueries({ queryKey: keys.drills(operation.cluster) });
  }
  const isOfBackups = operation.kind === 'backup' || operation.kind === 'prove';
  if (isOfBackups && (isNew || operation.ended_at != null)) {
    void client.invalidateQueries({ queryKey: keys.anyBackups });
    void client.invalidateQueries({ queryKey: keys.repositories });
  }
}

function forgetOperation(client: QueryClient, id: string): void {
  client.setQueriesData<Pages<Operation>>({ queryKey: keys.anyOperations }, (pages) =>
    remove(pages, (item) => item.id === id),
  );
  client.removeQueries({ queryKey: keys.operation(id) });
}

/** Replaces the item where it is listed, or lists it at that end. */
function upsert<T>(
  pages: Pages<T> | undefined,
  item: T,
  end: 'first' | 'last',
  isIt: (other: T) => boolean,
): Pages<T> | undefined {
  if (!pages) return undefined;
  if (pages.pages.some((page) => page.items.some(isIt))) {
    return mapPages(pages, (items) => items.map((other) => (isIt(other) ? item : other)));
  }
  const at = end === 'first' ? 0 : pages.pages.length - 1;
  // The last page that was read is not the last there is: the item is on one to come.
  if (end === 'last' && pages.pages[at]?.next) return pages;
  return mapPages(pages, (items, index) => {
    if (index !== at) return items;
    return end === 'first' ? [item, ...items] : [...items, item];
  });
}

function remove<T>(pages: Pages<T> | undefined, isIt: (item: T) => boolean): Pages<T> | undefined {
  return pages && mapPages(pages, (items) => items.filter((item) => !isIt(item)));
}

function mapPages<T>(pages: Pages<T>, map: (items: T[], index: number) => T[]): Pages<T> {
  return {
    ...pages,
    pages: pages.pages.map((page, index) => ({ ...page, items: map(page.items, index) })),
  };
}
