import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';

import { enginesQuery } from '../../api/queries';
import type { Backup, BackupFacts, Proof } from '../../api/types';
import { CopyAction } from '../../ui/CopyText';
import { Facts } from '../../ui/Facts';
import {
  formatDuration,
  formatMoment,
  formatPosition,
  startSentence,
} from '../../ui/format';
import { engineTitle } from '../clusters/describe';
import { messages } from './backups.messages';
import classes from './backups.module.css';

type Row = readonly [string, ReactNode];

/** What is known of one backup. */
export function BackupDetails({ backup }: { backup: Backup }) {
  const engines = useQuery(enginesQuery).data;
  const { facts, took_ms, due_at, recoverable_to, archives = [], message } = backup;
  const rows: Row[] = [];
  if (message) rows.push([messages.result, startSentence(message)]);
  if (facts) rows.push(...heldRows(facts, backup.stored, engineTitle(facts.spec.engine, engines)));
  if (recoverable_to) rows.push([messages.window, formatMoment(recoverable_to)]);
  rows.push([messages.started, formatMoment(facts?.started_at ?? backup.created_at)]);
  if (took_ms != null) rows.push([messages.took, formatDuration(took_ms)]);
  if (due_at) rows.push([messages.due, formatMoment(due_at)]);
  rows.push([messages.startedBy, backup.started_by]);
  rows.push([messages.to, backup.repository_name]);
  if (facts) rows.push(...proofRows(backup.proof));
  rows.push([messages.id, <Id key="id" text={backup.id} />]);
  if (archives.length > 0) {
    const parts = archives.map((archive) => <Id key={archive} text={archive} />);
    rows.push([messages.archives, <div key="archives">{parts}</div>]);
  }
  return (
    <div className={classes.facts}>
      <Facts rows={rows} />
    </div>
  );
}

function heldRows(facts: BackupFacts, stored: number | null | undefined, title: string): Row[] {
  const node = facts.from_primary ? messages.fromPrimary(facts.node_name) : facts.node_name;
  return [
    [messages.holds, formatMoment(facts.taken_at)],
    [messages.size, messages.sizeOf(facts.size, stored)],
    [messages.engine, `${title} ${facts.engine_version}`],
    [messages.node, node],
    [messages.position, formatPosition(facts.position)],
  ];
}

function proofRows(proof: Proof | null | undefined): Row[] {
  if (!proof) return [[messages.proof, startSentence(messages.noProof)]];
  const rows: Row[] = [
    [messages.proof, startSentence(proof.message)],
    [proof.proven ? messages.proofAt : messages.proofTriedAt, formatMoment(proof.at)],
  ];
  if (proof.restore_ms != null) rows.push([messages.proofTook, formatDuration(proof.restore_ms)]);
  if (proof.proven) {
    rows.push([messages.fingerprints, startSentence(messages.compared(proof.compared))]);
  }
  return rows;
}

function Id({ text }: { text: string }) {
  return (
    <div className={classes.id}>
      <code>{text}</code> <CopyAction text={text} label={messages.id} />
    </div>
  );
}
