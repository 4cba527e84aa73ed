// What the pretended server offers, in the words of the real one.

export const GIB = 2 ** 30;

export const engines = [
  {
    name: 'postgresql',
    title: 'PostgreSQL',
    summary: 'The relational database for most things: SQL, transactions, extensions.',
    versions: ['17', '18', '15'],
    topologies: [
      {
        name: 'single',
        title: 'One node',
        summary: 'A primary alone: nothing takes over when it is lost.',
        picture: 'single',
        nodes_min: 1,
        nodes_max: 1,
      },
      {
        name: 'primary_replicas',
        title: 'Primary and replicas',
        summary: 'Replicas follow the primary; one takes over by itself when it is lost.',
        picture: 'replicas',
        nodes_min: 2,
        nodes_max: 9,
      },
    ],
    replication_modes: [
      {
        name: 'async',
        title: 'Asynchronous',
        summary: 'The primary alone confirms. Fastest; the last writes may be lost with it.',
      },
      {
        name: 'prefer',
        title: 'Synchronous if possible',
        summary: 'One replica confirms while one can; without any, writes go on.',
      },
      {
        name: 'strict',
        title: 'Synchronous',
        summary: 'One replica confirms every write; without any, writes wait.',
      },
      {
        name: 'quorum',
        title: 'Quorum',
        summary: 'As many replicas as you say confirm every write; with fewer, writes wait.',
      },
    ],
    memory_min: GIB / 4,
    disk_min: GIB,
    ports: { gate: 5432, read_write: 5000, read_only: 5001, private: 5431, read_gate: 5433, peer: 5440 },
    capabilities: {
      synchronous: true,
      point_in_time: true,
      multi_primary: false,
      sharded: false,
      backups: true,
    },
    user: 'app',
    database: 'app',
    examples: [],
    warnings: [],
  },
];

const setting = (name, title, group, kind, value, range, summary, more = {}) => ({
  name,
  title,
  summary,
  group,
  kind,
  range,
  default: value,
  value,
  chosen: false,
  restart: false,
  ...more,
});

const onOrOff = 'on or off';

export const parameters = [
  setting('shared_buffers', 'Shared buffers', 'Memory', 'bytes', '256MiB', '16MiB to 640MiB',
    'Memory in which the engine keeps pages of all tables. A quarter of the node\u2019s.', { restart: true }),
  setting('work_mem', 'Memory of a sort or hash', 'Memory', 'bytes', '4MiB', '64KiB to 256MiB',
    'Each sort or hash of each statement may take so much before it uses the disk.'),
  setting('huge_pages', 'Huge pages', 'Memory', 'choice', 'try', 'off, try, on',
    'Large pages of memory: quicker, where the machine has reserved them.',
    { restart: true, choices: ['off', 'try', 'on'] }),
  setting('max_connections', 'Connections', 'Connections', 'integer', '204', '20 to 1024',
    'How many clients can be connected at once. Each takes memory.', { restart: true }),
  setting('jit', 'Compilation of statements', 'Planner', 'boolean', 'on', onOrOff,
    'Compiles expensive statements. Off helps where many are only somewhat so.'),
  setting('random_page_cost', 'Cost of a random page', 'Planner', 'number', '4', '0 to 1000000',
    'What a page from anywhere costs. Near 1 on fast disks: more use of indexes.'),
  setting('statement_timeout', 'Longest statement', 'Timeouts', 'duration', '0', '1s to 7d, or 0 (no limit)',
    'A statement that takes longer is cancelled.'),
];

export const providers = [
  {
    name: 'docker',
    title: 'Docker on this machine',
    available: true,
    reason: '',
    limits: {
      cpus_min: 0.1,
      cpus_max: 8,
      memory_min: GIB / 4,
      memory_max: 24 * GIB,
      disk_min: GIB,
      disk_max: 200 * GIB,
      nodes_max: 200,
    },
  },
];

export const steps = {
  create_cluster: {
    reserve_network: 'Reserve a network',
    reserve_nodes: 'Reserve the nodes',
    acquire_machines: 'Make the machines',
    await_agents: 'Wait for the agents',
    bootstrap_primary: 'Create the database',
    await_primary: 'Wait for the primary',
    seed_replicas: 'Copy the data to the replicas',
    await_replicas: 'Wait for the replicas',
    open_endpoints: 'Open the endpoints',
  },
  add_node: {
    reserve_node: 'Reserve a node',
    acquire_machine: 'Make the machine',
    await_agent: 'Wait for the agent',
    seed: 'Copy the data',
    await_catch_up: 'Wait until it has caught up',
    admit: 'Admit it to the endpoints',
  },
  remove_node: {
    check_quorum: 'Check that the rest can do without',
    withdraw: 'Withdraw it from votes and endpoints',
    release_machine: 'Delete the machine and its disk',
    forget: 'Forget the node',
  },
  switchover: {
    check_candidate: 'Check the replica',
    prepare: 'Prepare the primary for a quick stop',
    hold_writes: 'Hold new connections',
    surrender: 'Let the primary give up its role',
    advance_term: 'Begin the new term',
    await_primary: 'Wait for the new primary',
    repoint: 'Let the others follow it',
  },
  failover: {
    confirm_loss: 'Confirm the loss',
    collect_promises: 'Collect promises',
    await_fence: 'Wait until the former primary is fenced',
    choose_candidate: 'Choose the most advanced replica',
    advance_term: 'Begin the new term',
    await_primary: 'Wait for the new primary',
    repoint: 'Let the others follow it',
    write_report: 'Write the report',
  },
  drill: {
    check: 'Check that nothing else can go wrong',
    strike: 'Take the role from the primary',
    await_change: 'Wait for the change of primary',
    await_whole: 'Wait until every node follows again',
    write_result: 'Write down what was measured',
  },
  resync: {
    check: 'Check that the others can do without',
    withdraw: 'Withdraw the replica from votes and endpoints',
    copy: 'Copy the data anew',
    await_catch_up: 'Wait until it has caught up',
    admit: 'Give it its vote back',
    drop_former: 'Remove its former data',
  },
  reconfigure: {
    check: 'Check that settings can be changed now',
    replicas: 'Change the replicas, one at a time',
    primary: 'Change the primary',
    rest: 'Change what replicas take last',
    verify: 'Verify what is in force on every node',
  },
  delete_cluster: {
    withdraw: 'Close the endpoints',
    release_machines: 'Delete the machines and their disks',
    release_network: 'Delete the network',
    verify_empty: 'Verify that nothing is left',
    forget: 'Forget the cluster',
  },
};

export const titles = {
  create_cluster: 'create cluster',
  add_node: 'add node',
  remove_node: 'remove node',
  switchover: 'promote',
  failover: 'failover',
  resync: 'resync',
  reconfigure: 'change settings',
  drill: 'drill',
  delete_cluster: 'delete cluster',
};
