// The names of everything kept in the cache. Events and pages meet here.

export const keys = {
  me: ['me'] as const,
  identityProvider: ['identity-provider'] as const,
  audit: ['audit'] as const,
  authority: ['authority'] as const,
  users: ['users'] as const,
  projects: ['projects'] as const,
  sessions: ['sessions'] as const,
  tokens: ['tokens'] as const,
  engines: ['engines'] as const,
  providers: ['providers'] as const,
  clusters: ['clusters'] as const,
  anyCluster: ['cluster'] as const,
  cluster: (name: string) => ['cluster', name] as const,
  /** Set when a cluster that is being looked at has gone. */
  gone: (name: string) => ['gone', name] as const,
  /** The operation whose progress the cluster's page shows above its tabs. */
  watched: (clusterId: string) => ['watched', clusterId] as const,
  anyParameters: ['parameters'] as const,
  parameters: (clusterId: string) => ['parameters', clusterId] as const,
  engineParameters: ['engine-parameters'] as const,
  /** The last change of primary that the cluster's page has shown. */
  changed: (clusterId: string) => ['changed', clusterId] as const,
  allowlist: (clusterId: string) => ['allowlist', clusterId] as const,
  databases: (clusterId: string) => ['databases', clusterId] as const,
  databaseUsers: (clusterId: string) => ['database-users', clusterId] as const,
  /** With the password; never kept. */
  databaseUser: (clusterId: string, name: string) => ['database-user', clusterId, name] as const,
  anyNodes: ['nodes'] as const,
  nodes: (clusterId: string) => ['nodes', clusterId] as const,
  anyConnection: ['connection'] as const,
  connection: (clusterId: string, reveal: boolean) => ['connection', clusterId, reveal] as const,
  anyOperations: ['operations'] as const,
  operations: (clusterId: string | undefined) => ['operations', clusterId ?? 'all'] as const,
  /** What an operation that ends adds to is read anew then. */
  report: (id: string) => ['report', id] as const,
  anyDrills: ['drills'] as const,
  drills: (clusterId: string) => ['drills', clusterId] as const,
  anyBackups: ['backups'] as const,
  /** By the cluster's name, or all of them. */
  backups: (cluster: string | undefined) =>
    cluster === undefined ? (['backups', 'all'] as const) : (['backups', 'of', cluster] as const),
  backup: (id: string) => ['backups', 'one', id] as const,
  repositories: ['repositories'] as const,
  anyOperation: ['operation'] as const,
  operation: (id: string) => ['operation', id] as const,
};
