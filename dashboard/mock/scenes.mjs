// How the pretended world looks at the start.

import { GIB } from './catalogue.mjs';

const spec = (name, nodes, replication, more = {}) => ({
  name,
  engine: 'postgresql',
  version: '17',
  provider: 'docker',
  nodes,
  size: { cpus: 1, memory: GIB, disk: 5 * GIB },
  replication,
  timers: 'lan',
  parameters: {},
  ...more,
});

/** A cluster that exists already, with a history. */
function settle(world, wanted, minutes) {
  world.networks += 1;
  const created = new Date(Date.now() - minutes * 60_000);
  const cluster = {
    id: `0193${String(world.networks).padStart(4, '0')}-0000-7000-8000-00000000000${world.networks}`,
    generation: 1,
    created_at: created.toISOString(),
    spec: wanted,
    term: 0,
    primary: null,
    operation: null,
    network: world.networks,
    ordinals: 0,
    phase: null,
  };
  world.clusters.set(cluster.id, cluster);
  const nodes = Array.from({ length: wanted.nodes }, () => world.addNode(cluster));
  for (const node of nodes) node.since = created.getTime() + 20_000;
  world.crown(cluster, nodes[0]);
  for (const node of nodes.slice(1)) world.follow(node, nodes[0]);
  record(world, cluster, 'create_cluster', created.getTime(), 2_100, {
    message: `${wanted.name} accepts writes`,
  });
  return { cluster, nodes };
}

function record(world, cluster, kind, at, stepMs, more = {}) {
  const titles = world.titlesOf(kind);
  const time = (index) => new Date(at + index * stepMs).toISOString();
  world.operations.unshift({
    id: `0193${String(world.operations.length + 10).padStart(4, '0')}-1111-7000-8000-000000000000`,
    cluster: cluster.id,
    cluster_name: cluster.spec.name,
    kind,
    status: 'succeeded',
    started_by: 'admin',
    reason: 'asked for',
    rule: 0,
    created_at: time(0),
    started_at: time(0),
    ended_at: time(titles.length),
    steps: titles.map(([name, title], index) => ({
      name,
      title,
      state: 'done',
      message: '',
      started_at: time(index),
      ended_at: time(index + 1),
    })),
    message: '',
    state: {},
    ...more,
  });
}

const evidence = (name, ms) => ({
  node_name: name,
  seen_at: new Date().toISOString(),
  report_age_ms: ms,
  suspect_after_ms: 1_500,
  engine_died: false,
  machine_stopped: false,
  witnesses: ['demo-2', 'demo-3'].map((node_name, index) => ({
    node_name,
    votes: true,
    report_age_ms: 60 + index * 40,
    lease_request_age_ms: ms + 80,
    engine_message_age_ms: index === 0 ? ms + 290 : 1_180,
  })),
});

const drill = (kind, days, more) => ({
  id: `0193${days}`,
  kind,
  status: 'succeeded',
  started_by: 'bellwether',
  created_at: new Date(Date.now() - days * 86_400_000).toISOString(),
  ended_at: new Date(Date.now() - days * 86_400_000 + 9_000).toISOString(),
  message: '',
  ...more,
});

/** A backup that was taken so long ago. */
const backup = (cluster, days, more) => ({
  id: `backup-${days}`,
  cluster: cluster.id,
  cluster_name: cluster.spec.name,
  project: 'default',
  repository: 'repository',
  repository_name: 'vault',
  status: 'complete',
  started_by: 'bellwether',
  created_at: new Date(Date.now() - days * 86_400_000).toISOString(),
  message: '',
  archives: ['8af5bdcb29077f03', '84916516884765fd'],
  took_ms: 41_000,
  facts: {
    id: `backup-${days}`,
    cluster: cluster.id,
    cluster_name: cluster.spec.name,
    spec: cluster.spec,
    node_name: `${cluster.spec.name}-3`,
    started_at: new Date(Date.now() - days * 86_400_000).toISOString(),
    position: { timeline: 2, offset: 83_886_312 },
    engine_version: '17.11',
    size: 3 * GIB,
    taken_at: new Date(Date.now() - days * 86_400_000 + 40_000).toISOString(),
  },
  stored: 41_943_040,
  ...more,
});

const repository = (name) => ({
  id: `repository-${name}`,
  name,
  place: { kind: 's3', endpoint: 'https://s3.example.com', bucket: name, access_key: 'access' },
  address: `s3:https://s3.example.com/${name}`,
  created_at: new Date(Date.now() - 9 * 86_400_000).toISOString(),
  checked_at: new Date(Date.now() - 86_400_000).toISOString(),
  checked_by: 'demo-3',
  backups: 2,
});

const scenes = {
  empty() {},

  demo(world) {
    const { cluster, nodes } = settle(world, spec('demo', 3, 'async'), 190);
    const failedAt = Date.now() - 48 * 60_000;
    world.crown(cluster, nodes[1]);
    for (const node of [nodes[0], nodes[2]]) world.follow(node, nodes[1]);
    record(world, cluster, 'failover', failedAt, 410, {
      node: nodes[1].id,
      node_name: nodes[1].name,
      started_by: 'bellwether',
      reason: 'the primary is lost and a replica can take over',
      rule: 205,
      message: 'demo-2 is primary under term 2; nothing was lost',
      state: {
        evidence: 'the provider said that its machine did not run',
        former: nodes[0].id,
        former_name: 'demo-1',
        former_position: { timeline: 1, offset: 83_886_312 },
        term: 2,
        promised: [nodes[1].id, nodes[2].id],
        fence: 'its machine does not run',
        candidate: nodes[1].id,
        candidate_name: 'demo-2',
        candidate_position: { timeline: 1, offset: 83_886_312 },
        loss_bytes_max: 0,
        seen: evidence('demo-1', 1_620),
        promised_names: ['demo-2', 'demo-3'],
        confirmed_ms: 120,
        promised_ms: 412,
        fenced_ms: 871,
        serving_ms: 2_340,
        gaps: [
          { node: nodes[1].id, node_name: 'demo-2', ms: 3_920, slack_ms: 340 },
          { node: nodes[2].id, node_name: 'demo-3', ms: 3_870, slack_ms: 0 },
        ],
      },
    });
    world.drills.set(cluster.id, [
      drill('failover', 3, { write_gap_ms: 240, loss: 'nothing', whole_ms: 4_700 }),
      drill('switchover', 10, { status: 'cancelled', message: 'skipped: the cluster is not healthy' }),
      drill('switchover', 17, { write_gap_ms: 198, loss: 'nothing', whole_ms: 1_300 }),
    ]);
    const proven = {
      proven: true,
      at: new Date(Date.now() - 86_400_000).toISOString(),
      restore_ms: 31_000,
      bytes: 3 * GIB,
      compared: 12,
      message: 'restored and looked through; 12 tables hold what they held',
    };
    world.repositories.push(repository('vault'));
    cluster.spec.backup = { schedule: 'daily', repository: 'vault', verify: true, point_in_time: true };
    const recoverable_to = new Date(Date.now() - 40_000).toISOString();
    const failed = { status: 'failed', facts: undefined, stored: undefined };
    world.backups.set(cluster.id, [
      backup(cluster, 1, { recoverable_to }),
      backup(cluster, 2, { proof: proven, recoverable_to }),
      backup(cluster, 3, { ...failed, message: 'the store refuses the credentials' }),
      backup(cluster, 4, { status: 'deleting', message: 'no longer kept' }),
    ]);
    cluster.backup = {
      recoverable_to,
      proven_to: new Date(Date.now() - 2 * 86_400_000 + 40_000).toISOString(),
      next_at: '2030-01-06T02:00:00Z',
      restore_ms: 31_000,
      problem: '',
    };
    world.follow(nodes[0], nodes[1]);
    const orders = settle(
      world,
      spec('orders', 3, 'quorum(2)', { size: { cpus: 2, memory: 4 * GIB, disk: 20 * GIB } }),
      60 * 24 * 9,
    );
    Object.assign(orders.nodes[2], { health: 'degraded', state: 'does not stream', lag: 41_943_040 });
    settle(world, spec('reports', 1, 'async', { version: '18' }), 60 * 24 * 2);
  },

  crowd(world) {
    settle(world, spec('a-name-of-forty-letters-is-as-long-as-ok', 20, 'quorum(3)'), 190);
    for (let index = 1; index < 30; index += 1) settle(world, spec(`shop-${index}`, 1, 'async'), 190);
    const { cluster } = settle(world, spec('overdue', 3, 'async'), 190);
    cluster.backup = { problem: 'a backup is overdue since 2026-01-04T02:00:00.000Z' };
  },

  suspicion(world) {
    const { cluster, nodes } = settle(world, spec('demo', 3, 'quorum(1)'), 190);
    Object.assign(nodes[0], { role: 'none', health: 'silent', state: 'not heard from for 1 s' });
    cluster.suspicion = {
      node: nodes[0].id,
      node_name: 'demo-1',
      sentence: 'the agent of demo-1 is silent; its engine still speaks to replicas',
      will_fail_over: true,
      evidence: evidence('demo-1', 1_620),
    };
  },

  failover(world) {
    const { cluster, nodes } = settle(world, spec('demo', 3, 'async'), 190);
    Object.assign(nodes[0], { role: 'none', health: 'silent', state: 'not heard from for 4 s' });
    world.start(cluster, { kind: 'failover', node: nodes[1].id }, 'bellwether', {
      reason: 'the primary is lost and a replica can take over',
      rule: 205,
      state: {
        evidence: 'the provider said that its machine did not run',
        former_name: 'demo-1',
        promised_names: ['demo-2', 'demo-3'],
        candidate_name: 'demo-2',
      },
    });
  },
};

export function setScene(world, name) {
  const scene = scenes[name];
  if (!scene) throw new Error(`there is no scene ${name}; there are ${Object.keys(scenes).join(', ')}`);
  scene(world);
}
