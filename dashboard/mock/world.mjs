// The pretended clusters: enough state to click through every page. One operation at a time moves a
// cluster, as in the real server; its steps last `stepMs` each.

import { randomUUID } from 'node:crypto';

import { engines, GIB, parameters, providers, steps, titles } from './catalogue.mjs';
import { problem } from './problem.mjs';

let made = 0;
/** Sorted by the time of making, like the real ids. */
const newId = () => {
  made += 1;
  const time = (Date.now() * 4096 + made).toString(16).padStart(15, '0');
  return `${time.slice(0, 8)}-${time.slice(8, 12)}-7${time.slice(12)}-8${randomUUID().slice(20)}`;
};

export class World {
  clusters = new Map();
  nodes = new Map();
  operations = [];
  /** By cluster. */
  drills = new Map();
  backups = new Map();
  repositories = [];
  networks = 0;

  constructor(stepMs, publish) {
    this.stepMs = stepMs;
    this.publish = publish;
  }

  find(text) {
    const found =
      this.clusters.get(text) ?? [...this.clusters.values()].find((one) => one.spec.name === text);
    if (!found) throw problem('not-found', `no cluster is called \`${text}\``);
    return found;
  }

  /** Those of a cluster, or of all. */
  backupsOf(name) {
    if (name) return this.backups.get(this.find(name).id) ?? [];
    return [...this.backups.values()].flat();
  }

  titlesOf(kind) {
    return Object.entries(steps[kind]);
  }

  nodesOf(cluster) {
    return [...this.nodes.values()]
      .filter((node) => node.cluster === cluster.id)
      .sort((a, b) => a.ordinal - b.ordinal);
  }

  // ---- creating

  checkSpec(spec) {
    const fields = [];
    const engine = engines.find((one) => one.name === spec.engine);
    const provider = providers.find((one) => one.name === spec.provider);
    const say = (field, message) => fields.push({ field, message });
    if (!engine) say('engine', `there is no engine \`${spec.engine}\``);
    if (!provider) say('provider', `there is no provider \`${spec.provider}\``);
    if (engine && !engine.versions.includes(spec.version)) {
      say('version', `${engine.title} has no version \`${spec.version}\` here`);
    }
    if (!/^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$/.test(spec.name ?? '')) {
      say('name', `\`${spec.name}\` is not a usable name: use 1 to 40 lower-case letters, digits and hyphens`);
    }
    if (!(spec.nodes >= 1 && spec.nodes <= 9)) say('nodes', `${spec.nodes} nodes cannot be made; choose 1 to 9`);
    const limits = provider?.limits;
    if (limits && spec.size.disk > 150 * GIB) {
      say('size.disk', 'this machine has 150 GiB of disk left; choose 1 GiB to 150 GiB');
    }
    if (fields.length > 0) {
      const detail = fields.map(({ field, message }) => `${field}: ${message}`).join('; ');
      throw problem('invalid-field', detail, { fields });
    }
    if ([...this.clusters.values()].some((one) => one.spec.name === spec.name)) {
      throw problem('name-taken', `there is a cluster called \`${spec.name}\` already`, {
        hint: 'Choose another name, or delete that cluster.',
      });
    }
  }

  planCreation(spec) {
    this.checkSpec(spec);
    const nodes = spec.nodes === 1 ? '1 node' : `${spec.nodes} nodes`;
    return {
      kind: 'create_cluster',
      summary: `Creates ${spec.name} with ${nodes} of PostgreSQL ${spec.version} on ${spec.provider}.`,
      steps: plannedSteps('create_cluster'),
      write_pause_ms: 0,
      bytes_copied: 0,
      redundancy_min: 0,
      erases: [],
      refusals: [],
    };
  }

  create(spec, by = 'admin') {
    this.checkSpec(spec);
    this.networks += 1;
    const cluster = {
      id: newId(),
      generation: 1,
      created_at: new Date().toISOString(),
      spec,
      term: 0,
      primary: null,
      network: this.networks,
      ordinals: 0,
      phase: 'creating',
    };
    this.clusters.set(cluster.id, cluster);
    this.start(cluster, { kind: 'create_cluster' }, by);
    return cluster;
  }

  addNode(cluster, change = {}) {
    cluster.ordinals += 1;
    const ordinal = cluster.ordinals;
    const node = {
      id: newId(),
      cluster: cluster.id,
      name: `${cluster.spec.name}-${ordinal}`,
      ordinal,
      created_at: new Date().toISOString(),
      address: `10.87.${cluster.network}.${ordinal + 1}`,
      address6: `fd42:be11:0:${cluster.network}::${ordinal + 1}`,
      phase: 'provisioning',
      role: 'none',
      health: 'working',
      state: 'its machine is being made',
      lag: null,
      since: Date.now(),
      load: Math.random(),
      ...change,
    };
    this.nodes.set(node.id, node);
    return node;
  }

  // ---- operations

  refusal(cluster, request) {
    const { kind } = request;
    const running = this.operations.find(
      (one) => one.cluster === cluster.id && ['queued', 'running'].includes(one.status),
    );
    if (kind === 'delete_cluster') {
      return running?.kind === kind ? 'the cluster is being deleted already' : '';
    }
    const node = this.nodes.get(request.node) ?? this.nodesOf(cluster).find((one) => one.name === request.node);
    if (kind === 'switchover' && node?.id === cluster.primary) return `${node.name} is the primary already`;
    if (running) return `\`${titles[running.kind]}\` is under way; wait until it has ended`;
    if (kind === 'remove_node' && node?.id === cluster.primary) {
      return this.nodesOf(cluster).length === 1
        ? `${node.name} is the only node; delete the cluster instead`
        : `${node.name} is the primary; promote another node first`;
    }
    if (kind === 'switchover' && node?.health !== 'healthy') return `${node?.name} is not heard from`;
    if (!cluster.primary) return 'there is no primary';
    return '';
  }

  // ---- settings

  /** What somebody chose; in `orders` one of them still waits for a restart. */
  showParameters(cluster) {
    const chosen = cluster.spec.parameters ?? {};
    const waits = cluster.spec.name === 'orders' ? 'shared_buffers' : '';
    return parameters.map((one) => ({
      ...one,
      value: chosen[one.name] ?? one.default,
      chosen: one.name in chosen,
      differs:
        one.name === waits
          ? [{ node: 'orders-2', in_force: '128MiB', needs_restart: true }]
          : [],
    }));
  }

  changesOf(cluster, wanted) {
    const before = cluster.spec.parameters ?? {};
    return parameters
      .map(({ name, restart, default: usual }) => ({
        name,
        from: before[name] ?? usual,
        to: wanted[name] ?? usual,
        restart,
      }))
      .filter(({ from, to }) => from !== to);
  }

  planChange(cluster, change) {
    const wanted = change.parameters ?? {};
    const fields = Object.entries(wanted)
      .filter(([, value]) => value === '')
      .map(([name]) => ({ field: `parameters.${name}`, message: 'a value is missing' }));
    if (fields.length > 0) throw problem('invalid-field', fields[0].message, { fields });
    const changes = this.changesOf(cluster, wanted);
    if (changes.length === 0) return [];
    const replicas = this.nodesOf(cluster).filter((one) => one.role === 'replica');
    const primary = this.nodes.get(cluster.primary);
    const restarts = changes.some(({ restart }) => restart)
      ? [...replicas, ...(primary ? [primary] : [])].map(({ name }) => name)
      : [];
    return [
      {
        ...this.plan(cluster, { kind: 'reconfigure' }),
        write_pause_ms: restarts.length > 0 ? 300 : 0,
        changes,
        restarts,
      },
    ];
  }

  change(cluster, change) {
    if (change.parameters) {
      this.start(cluster, { kind: 'reconfigure' });
      cluster.spec = { ...cluster.spec, parameters: change.parameters };
      cluster.generation += 1;
    }
    return cluster;
  }

  plan(cluster, request) {
    const refusal = this.refusal(cluster, request);
    const node = this.nodes.get(request.node) ?? this.nodesOf(cluster).find((one) => one.name === request.node);
    const primary = this.nodes.get(cluster.primary)?.name ?? 'the primary';
    const name = cluster.spec.name;
    const copies = this.nodesOf(cluster).filter((one) => one.role === 'replica').length;
    const disk = (one) => `${one.name}: its machine and its disk`;
    const about = {
      add_node: [`Adds a replica to ${name}, copied from ${primary}.`, 0, 734_003_200, copies, []],
      remove_node: [
        `Removes ${node?.name} from ${name} with its machine and its disk.`,
        0,
        0,
        copies - 1,
        node ? [disk(node)] : [],
      ],
      switchover: [
        `Makes ${node?.name} the primary of ${name}; ${primary} follows it. New connections wait meanwhile, connections to the present primary are closed.`,
        300,
        0,
        copies,
        [],
      ],
      reconfigure: [`Changes settings of ${name}.`, 0, 0, Math.max(copies - 1, 0), []],
      resync: [
        `Copies all data of ${name} anew from ${primary}, to one replica after the other. Each is out of votes and endpoints until its new data follows.`,
        0,
        734_003_200 * Math.max(copies, 1),
        Math.max(copies - 1, 0),
        this.nodesOf(cluster)
          .filter((one) => one.role === 'replica' && (!request.nodes || request.nodes.includes(one.id)))
          .map((one) => `${one.name}: all of its data (700 MiB), once the new copy follows`),
      ],
      drill: [
        request.drill === 'failover'
          ? `Kills the engine of ${primary}, lets a replica of ${name} take over as in earnest, and measures how long writes wait. Sessions of clients end as in earnest.`
          : `Moves the primary of ${name} from ${primary} to a replica as planned, and measures how long writes wait.`,
        request.drill === 'failover' ? 1_000 : 300,
        0,
        copies,
        [],
      ],
      delete_cluster: [
        `Deletes ${name}: every node with all of its data.`,
        0,
        0,
        0,
        this.nodesOf(cluster).map(disk),
      ],
    };
    const [summary, write_pause_ms, bytes_copied, redundancy_min, erases] = about[request.kind];
    return {
      kind: request.kind,
      summary,
      steps: plannedSteps(request.kind),
      write_pause_ms,
      bytes_copied,
      redundancy_min,
      erases,
      refusals: refusal ? [refusal] : [],
    };
  }

  start(cluster, request, by = 'admin', more = {}) {
    const refusal = this.refusal(cluster, request);
    if (refusal && !['create_cluster', 'failover'].includes(request.kind)) {
      throw problem('operation-refused', refusal);
    }
    const node = this.nodes.get(request.node) ?? this.nodesOf(cluster).find((one) => one.name === request.node);
    const operation = {
      id: newId(),
      cluster: cluster.id,
      cluster_name: cluster.spec.name,
      kind: request.kind,
      node: node?.id,
      node_name: node?.name,
      status: 'running',
      started_by: by,
      reason: 'asked for',
      rule: 0,
      created_at: new Date().toISOString(),
      started_at: new Date().toISOString(),
      steps: Object.entries(steps[request.kind]).map(([name, title]) => ({
        name,
        title,
        state: 'pending',
        message: '',
      })),
      message: '',
      state: {},
      ...more,
    };
    this.operations.unshift(operation);
    cluster.operation = operation.id;
    this.changed(cluster, operation);
    this.run(cluster, operation, 0);
    return operation;
  }

  run(cluster, operation, index) {
    const step = operation.steps[index];
    if (!step) return this.end(cluster, operation);
    step.state = 'running';
    step.started_at = new Date().toISOString();
    step.message = this.begin(cluster, operation, step.name) ?? '';
    this.changed(cluster, operation);
    const pause = operation.kind === 'switchover' ? this.stepMs / 3 : this.stepMs;
    setTimeout(() => {
      step.state = 'done';
      step.message = '';
      step.ended_at = new Date().toISOString();
      this.run(cluster, operation, index + 1);
    }, pause);
    return undefined;
  }

  /** What a step does to the pretended world; returns what it says meanwhile. */
  begin(cluster, operation, step) {
    const nodes = this.nodesOf(cluster);
    const set = (node, change) => Object.assign(node, change);
    switch (`${operation.kind}.${step}`) {
      case 'create_cluster.reserve_nodes':
        for (let n = 0; n < cluster.spec.nodes; n += 1) this.addNode(cluster);
        return undefined;
      case 'create_cluster.await_agents':
        for (const node of nodes) set(node, { phase: 'joining', state: 'waiting for its agent' });
        return `0 of ${nodes.length} have joined`;
      case 'create_cluster.bootstrap_primary':
        for (const node of nodes) set(node, { phase: 'seeding', state: 'waiting for the primary' });
        set(nodes[0], { state: 'creating the database' });
        return undefined;
      case 'create_cluster.seed_replicas':
        this.crown(cluster, nodes[0]);
        for (const node of nodes.slice(1)) set(node, { state: `copying from ${nodes[0].name}` });
        return undefined;
      case 'create_cluster.open_endpoints':
        for (const node of nodes.slice(1)) this.follow(node, nodes[0]);
        return undefined;
      case 'add_node.reserve_node':
        operation.fresh = this.addNode(cluster);
        operation.node_name = operation.fresh.name;
        return undefined;
      case 'add_node.await_agent':
        set(operation.fresh, { phase: 'joining', state: 'waiting for its agent' });
        return undefined;
      case 'add_node.seed':
        set(operation.fresh, { phase: 'seeding', state: `copying from ${this.nodes.get(cluster.primary).name}` });
        return '412 MiB of 700 MiB';
      case 'add_node.admit':
        this.follow(operation.fresh, this.nodes.get(cluster.primary));
        cluster.spec.nodes += 1;
        return undefined;
      case 'remove_node.withdraw':
        set(this.nodes.get(operation.node), { phase: 'removing', health: 'working', state: 'being removed' });
        return undefined;
      case 'remove_node.forget':
        this.drop(operation.node);
        cluster.spec.nodes -= 1;
        return undefined;
      case 'switchover.surrender':
        set(this.nodes.get(cluster.primary), { role: 'none', health: 'working', state: 'its gate is closed' });
        return undefined;
      case 'switchover.repoint':
      case 'failover.repoint': {
        const chosen = this.nodes.get(operation.node);
        this.crown(cluster, chosen);
        for (const node of nodes) if (node !== chosen && node.health !== 'silent') this.follow(node, chosen);
        return undefined;
      }
      case 'delete_cluster.release_machines':
        for (const node of nodes) {
          set(node, { phase: 'removing', role: 'none', health: 'working', state: 'being removed' });
        }
        cluster.primary = null;
        return undefined;
      case 'delete_cluster.verify_empty':
        for (const node of nodes) this.drop(node.id);
        return undefined;
      default:
        return undefined;
    }
  }

  end(cluster, operation) {
    operation.status = 'succeeded';
    operation.ended_at = new Date().toISOString();
    cluster.operation = null;
    if (operation.kind === 'create_cluster') cluster.phase = null;
    if (operation.kind === 'switchover') {
      const report = { candidate_name: operation.node_name, term: cluster.term };
      operation.state = { ...report, surrendered_ms: 96, serving_ms: 214 };
    }
    operation.message = {
      create_cluster: `${cluster.spec.name} accepts writes`,
      add_node: `${operation.node_name} follows`,
      remove_node: `${operation.node_name} is gone`,
      switchover: `${operation.node_name} is primary under term ${cluster.term}; writes waited 214 ms`,
      failover: `${operation.node_name} is primary under term ${cluster.term}; nothing was lost`,
      resync: 'the replicas were copied anew',
      drill: 'demo-2 took over; writes waited 214 ms; no acknowledged write is lost',
      delete_cluster: 'nothing is left',
    }[operation.kind];
    if (operation.kind === 'delete_cluster') {
      this.clusters.delete(cluster.id);
      this.publish({ kind: 'operation', operation: showOperation(operation) });
      this.publish({ kind: 'cluster_gone', id: cluster.id });
      return;
    }
    this.changed(cluster, operation);
  }

  crown(cluster, node) {
    cluster.term += 1;
    cluster.primary = node.id;
    Object.assign(node, {
      phase: 'active',
      role: 'primary',
      health: 'healthy',
      state: 'accepts writes',
      lag: null,
      upstream: null,
    });
  }

  follow(node, primary) {
    Object.assign(node, {
      phase: 'active',
      role: 'replica',
      health: 'healthy',
      state: `follows ${primary.name}`,
      upstream: primary.name,
      lag: 0,
    });
  }

  drop(id) {
    const node = this.nodes.get(id);
    if (!node) return;
    this.nodes.delete(id);
    this.publish({ kind: 'node_gone', id, cluster: '' });
  }

  // ---- showing

  changed(cluster, operation) {
    for (const node of this.nodesOf(cluster)) this.publish({ kind: 'node', node: this.showNode(node) });
    this.publish({ kind: 'operation', operation: showOperation(operation) });
    this.publish({ kind: 'cluster', cluster: this.showCluster(cluster) });
  }

  /** What a change of primary has seen, decided, taken and lost. */
  showReport(operation) {
    const state = operation.state ?? {};
    const phase = (name, title, ended_ms) => ({ name, title, ended_ms });
    const phases = [
      phase('confirmed', 'The loss was confirmed', state.confirmed_ms),
      phase('promised', 'Enough replicas had promised the new term', state.promised_ms),
      phase('fenced', 'The former primary could no longer write', state.fenced_ms),
      phase('surrendered', 'The primary had given up its role', state.surrendered_ms),
      phase('serving', 'The new primary served', state.serving_ms),
    ];
    const gaps = state.gaps ?? [];
    return {
      id: operation.id,
      cluster: operation.cluster,
      cluster_name: operation.cluster_name,
      kind: operation.kind,
      status: operation.status,
      started_at: operation.started_at,
      ended_at: operation.ended_at,
      from: state.former_name,
      to: state.candidate_name,
      term: state.term ?? 0,
      seen: { sentence: state.evidence ?? 'the primary was healthy', evidence: state.seen },
      decision: {
        rule: operation.rule,
        reason: operation.reason,
        by: operation.started_by,
        fence: state.fence ?? '',
        promised: state.promised_names ?? [],
      },
      timeline: phases.filter((one) => one.ended_ms !== undefined),
      write_gap_ms: gaps.length > 0 ? Math.max(...gaps.map((gap) => gap.ms)) : null,
      measured_by: gaps,
      loss: 'nothing',
      loss_sentence: 'no acknowledged write is lost',
      unit: 'bytes',
      lost: 0,
      unseen_ms: 0,
      message: operation.message,
    };
  }

  /** Figures move a little, as they do. */
  breathe() {
    for (const node of this.nodes.values()) {
      if (node.role === 'none') continue;
      node.load = Math.min(0.95, Math.max(0.02, node.load + (Math.random() - 0.5) * 0.08));
      if (node.role === 'replica') node.lag = Math.random() < 0.6 ? 0 : Math.round(Math.random() * 40_000);
      this.publish({ kind: 'node', node: this.showNode(node) });
    }
  }

  showCluster(cluster) {
    const nodes = this.nodesOf(cluster);
    const primary = this.nodes.get(cluster.primary);
    const healthy = nodes.filter((node) => node.health === 'healthy').length;
    const running = this.operations.find((one) => one.id === cluster.operation);
    const [phase, sentence] = phaseOf(cluster, nodes, primary, running);
    const allow = (kind) => {
      const reason = this.refusal(cluster, { kind });
      return { kind, allowed: reason === '', reason };
    };
    return {
      id: cluster.id,
      name: cluster.spec.name,
      generation: cluster.generation,
      created_at: cluster.created_at,
      spec: cluster.spec,
      phase,
      sentence,
      term: cluster.term,
      primary: cluster.primary,
      primary_name: primary?.name ?? null,
      nodes_total: nodes.length,
      nodes_healthy: healthy,
      operation: cluster.operation ?? null,
      suspicion: cluster.suspicion,
      next_drill_at: cluster.spec.drill ? '2030-01-06T04:00:00Z' : undefined,
      backup: cluster.backup,
      operations: [
        allow('add_node'),
        allow('resync'),
        allow('drill'),
        allow('backup'),
        allow('delete_cluster'),
      ],
    };
  }

  showNode(node) {
    const cluster = this.clusters.get(node.cluster);
    const { size } = cluster.spec;
    const isUp = node.role !== 'none';
    const allow = (kind) => {
      const reason = this.refusal(cluster, { kind, node: node.id });
      return { kind, allowed: reason === '', reason };
    };
    return {
      id: node.id,
      cluster: node.cluster,
      name: node.name,
      ordinal: node.ordinal,
      size,
      provider: cluster.spec.provider,
      machine: node.phase === 'provisioning' ? null : node.id.slice(-12),
      address: node.address,
      address6: node.address6,
      created_at: node.created_at,
      phase: node.phase,
      role: node.role,
      health: node.health,
      state: node.state,
      target: node.role === 'none' ? 'replica' : node.role,
      upstream: node.upstream ?? null,
      position: isUp ? { timeline: cluster.term, offset: 83_886_080 } : null,
      lag_bytes: isUp ? node.lag : null,
      gate_open: isUp ? node.role === 'primary' : null,
      cpu_percent: isUp ? node.load * (node.role === 'primary' ? 62 : 22) : null,
      memory_used: isUp ? Math.round(size.memory * (0.28 + node.load * 0.3)) : null,
      memory_limit: isUp ? size.memory : null,
      disk_used: isUp ? Math.round(size.disk * 0.14 + node.ordinal * 2 ** 22) : null,
      disk_size: isUp ? size.disk : null,
      connections: isUp ? Math.round(node.load * (node.role === 'primary' ? 60 : 14)) : null,
      engine_version: isUp ? `${cluster.spec.version}.6` : null,
      agent_version: isUp ? '0.1.0' : null,
      uptime_seconds: isUp ? Math.floor((Date.now() - node.since) / 1000) : null,
      report_age_ms: isUp ? 120 : 9_000,
      operations: [allow('switchover'), allow('resync'), allow('remove_node')],
    };
  }

  showConnection(cluster, reveal) {
    const nodes = this.nodesOf(cluster).filter((node) => node.phase === 'active');
    const password = reveal ? 'Vq7mZr2TgKx9Lw4P' : 'PASSWORD';
    const at = (port) => nodes.map((node) => `${node.address}:${port}`);
    const examples = (endpoint, port) => {
      if (nodes.length === 0) return [];
      const hosts = at(port).join(',');
      const uri = `postgresql://app:${password}@${hosts}/app?sslmode=verify-full&sslrootcert=ca.pem`;
      const list = nodes.map((node) => node.address).join(',');
      const ports = nodes.map(() => port).join(',');
      const psql = `PGPASSWORD='${password}' psql "host=${list} port=${ports} user=app dbname=app sslmode=verify-full sslrootcert=ca.pem"`;
      return [
        ['psql', 'psql', psql],
        ['uri', 'URI', uri],
        ['jdbc', 'JDBC', `jdbc:postgresql://${hosts}/app?user=app&password=${password}&sslmode=verify-full&sslrootcert=ca.pem`],
        ['python', 'Python', `import psycopg\n\nconnection = psycopg.connect(\n    "${uri}"\n)`],
        ['node', 'Node.js', `import pg from 'pg';\n\nconst client = new pg.Client('${uri}');\nawait client.connect();`],
      ].map(([name, title, text]) => ({ name, title, endpoint, text }));
    };
    return {
      user: 'app',
      database: 'app',
      ...(reveal && { password }),
      read_write: at(5000),
      read_only: at(5001),
      ca_certificate: '-----BEGIN CERTIFICATE-----\nMIIBpretended\n-----END CERTIFICATE-----\n',
      examples: [...examples('read_write', 5000), ...examples('read_only', 5001)],
    };
  }
}

const plannedSteps = (kind) => Object.entries(steps[kind]).map(([name, title]) => ({ name, title }));

export function showOperation({ fresh: _, ...operation }) {
  return operation;
}

function phaseOf(cluster, nodes, primary, running) {
  if (running?.kind === 'delete_cluster') return ['deleting', 'being deleted'];
  if (running?.kind === 'create_cluster') return ['creating', 'being created'];
  if (running?.kind === 'failover') return ['failing_over', 'the primary is being replaced'];
  if (running?.kind === 'switchover') return ['failing_over', 'the primary is being moved'];
  if (!primary || primary.role !== 'primary') return ['unavailable', `${primary?.name ?? 'the primary'} is lost`];
  const replicas = nodes.length - 1;
  const following = nodes.filter((node) => node.role === 'replica' && node.health === 'healthy').length;
  if (following < replicas) {
    return ['degraded', `${primary.name} accepts writes; ${following} of ${replicas} replicas follow`];
  }
  const tail = replicas === 0 ? '; there is no replica' : replicas === 1 ? ', 1 replica follows' : `, ${replicas} replicas follow`;
  return ['healthy', `${primary.name} accepts writes${tail}`];
}
