import { formatBytes, formatCount, formatCpus } from '../../../ui/format';
import type { StepName } from './draft';

export const messages = {
  title: 'Create a cluster',
  steps: {
    engine: 'Engine',
    machines: 'Machines',
    topology: 'Topology',
    access: 'Access',
    name: 'Name',
    review: 'Review',
  } satisfies Record<StepName, string>,
  restoreTitle: 'Restore a backup',
  restoreStep: 'Backup',
  restore: 'Restore',
  stepsLabel: 'Steps',
  stepOf: (at: number, of: number, title: string) => `Step ${at} of ${of}: ${title}`,
  next: 'Next',
  back: 'Back',
  cancel: 'Cancel',
  create: 'Create cluster',
  soFar: 'So far',
  backup: {
    title: 'Which backup?',
    label: 'Backups, newest first',
    of: (name: string, when: string) => `${name} as it was ${when}`,
    search: 'Find by the name of the cluster',
    choose: 'Choose a backup.',
    none: 'There is no complete backup to restore.',
    register: 'Is there one in a repository that this server does not know? Register it with its key.',
    notComplete: 'It is not complete.',
    noEngine: (title: string, version: string) => `This server has no ${title} ${version}.`,
    mayNot: 'Restoring it takes an operator of its project.',
    proven: 'proven',
    provenIn: (took: string) => `proven, restored in ${took} then`,
    notProven: 'could not be proven',
    untried: 'not proven',
    leaves:
      'It becomes a new cluster, with a history and passwords of its own. Nothing is written over: the cluster that it was taken of goes on as it is.',
    source: 'Backup',
    at: 'Moment to restore',
    window: (from: string, to: string) =>
      `Any from ${from} to ${to}. Empty for what the backup holds.`,
    upTo: (title: string, when: string) => `${title}, then on to ${when}`,
  },
  engine: {
    title: 'Which database?',
    version: 'Version',
    versionHelp: 'The first is the one to take unless an application asks for another.',
    none: 'This server has no engine to offer.',
    warnings: 'Known weaknesses',
  },
  machines: {
    title: 'Where, and how large?',
    provider: 'Provider',
    unavailable: 'Not available',
    size: 'Size of each node',
    presets: { small: 'Small', medium: 'Medium', large: 'Large' } as Record<string, string>,
    preset: (cpus: number, memory: number, disk: number) =>
      `${formatCpus(cpus)} · ${formatBytes(memory)} · ${formatBytes(disk)}`,
    cpus: 'Processor cores',
    memory: 'Memory, GiB',
    disk: 'Disk, GiB',
    range: (least: string, most: string) => `${least} to ${most}`,
  },
  topology: {
    title: 'How many nodes, and what is promised?',
    topology: 'Topology',
    nodes: 'Nodes',
    nodesOfShard: 'Nodes of each shard',
    shards: 'Shards',
    shardsHelp: (least: number, most: number) =>
      `The keys are divided over them evenly. ${least} to ${most}.`,
    nodesHelp: (least: number, most: number) => `The primary counts too. ${least} to ${most}.`,
    membersHelp: (least: number, most: number) =>
      `Each of them accepts writes. ${least} to ${most}: a majority has to be left when one is lost.`,
    goesOn:
      'The rest goes on as long as it is the majority. Whether every node accepts writes cannot be changed later.',
    replication: 'When is a write acknowledged?',
    acks: 'Replicas that confirm each write',
    apart: 'No two nodes on the same host',
    apartHelp: 'Refused where that cannot be kept.',
    oneHost: 'Here all machines are on one host: what takes it takes every copy.',
    timers: 'How soon a lost primary is replaced',
    timersOfEquals: 'How soon the others go on without a lost node',
    replaces: (replicas: number) =>
      replicas === 0
        ? 'Nothing takes over when the node is lost. More nodes can be added later.'
        : replicas === 1
          ? 'The replica takes over when the primary is lost.'
          : `One of ${replicas} replicas takes over when the primary is lost.`,
  },
  access: {
    title: 'Who may reach it?',
    label: 'Addresses that are let in, one in a line',
    help: 'IPv4 and IPv6 addresses, ranges such as 10.0.0.0/8, and “server” for the machine that Bellwether runs on. It can be changed later.',
    mine: (address: string) => `Add mine: ${address}`,
    nobody: 'Nobody is let in but the cluster’s own nodes.',
  },
  name: {
    title: 'What is it called?',
    label: 'Name',
    project: 'Project',
    help: 'Up to 40 lower-case letters, digits and hyphens, beginning with a letter. It cannot be changed later.',
    shards: (name: string, count: number) => `Its shards will be ${name}-s1 to ${name}-s${count}.`,
    nodes: (name: string, count: number) =>
      count === 1 ? `Its node will be ${name}-1.` : `Its nodes will be ${name}-1 to ${name}-${count}.`,
  },
  review: {
    title: 'Is this right?',
    edit: (title: string) => `Change ${title.toLowerCase()}`,
    change: 'Change',
    plan: 'What will happen',
    wrong: 'Some settings cannot be carried out',
    goTo: (title: string) => `Go to ${title}`,
  },
  errors: {
    engine: 'Choose an engine.',
    version: 'Choose a version.',
    provider: 'Choose a provider that is available.',
    number: 'Enter a number.',
    whole: 'Enter a whole number.',
    range: (least: string, most: string) => `Choose ${least} to ${most}.`,
    mode: 'Choose a replication mode.',
    acks: (nodes: number) =>
      `There ${nodes === 2 ? 'is' : 'are'} only ${formatCount(nodes - 1, 'replica', 'replicas')}; ask for more nodes or fewer confirmations.`,
    name: 'Enter a name.',
    nameForm:
      'Use 1 to 40 lower-case letters, digits and hyphens, beginning with a letter, not ending in a hyphen.',
  },
};
