import { Button } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { changeCluster } from '../../api/clusters';
import { applyEvents } from '../../api/feed';
import { enginesQuery, providersQuery } from '../../api/queries';
import type { ClusterView } from '../../api/types';
import { Card } from '../../ui/Card';
import { CopyAction } from '../../ui/CopyText';
import { ErrorNote } from '../../ui/ErrorNote';
import { Facts } from '../../ui/Facts';
import { formatMoment } from '../../ui/format';
import { DEFAULT_PROJECT, useMay } from '../people/may';
import { ParametersCard } from '../parameters/ParametersCard';
import classes from './clusters.module.css';
import { messages } from './clusters.messages';
import { DeleteButton } from './DeleteButton';
import { engineTitle, providerTitle, replicationOf, sizeWords } from './describe';
import { ReshardDialog } from './ReshardDialog';
import { ResizeDialog } from './ResizeDialog';
import { timerWords } from './status';

const words = messages.facts;

export function SettingsTab({ cluster }: { cluster: ClusterView }) {
  const { spec } = cluster;
  const may = useMay(cluster);
  const engines = useQuery(enginesQuery).data;
  const providers = useQuery(providersQuery).data;
  const engine = engines?.find((one) => one.name === spec.engine);
  return (
    <div className={classes.stack}>
      <Card
        title={messages.page.settings}
        aside={
          may.operate &&
          cluster.phase !== 'failed' && (
            <div className={classes.buttons}>
              {!!spec.shards && <ReshardButton cluster={cluster} />}
              {!spec.multi_primary && <ResizeButton cluster={cluster} />}
            </div>
          )
        }
      >
        <Facts
          rows={[
            [words.engine, `${engineTitle(spec.engine, engines)} ${spec.version}`],
            [words.provider, providerTitle(spec.provider, providers)],
            ...(spec.shards ? [[words.shards, String(spec.shards)] as const] : []),
            [words.nodes, String(spec.nodes)],
            [words.size, sizeWords(spec)],
            [words.replication, replicationOf(spec, engine)],
            [words.timers, timerWords[spec.timers]],
            [words.project, spec.project ?? DEFAULT_PROJECT],
            [words.created, formatMoment(cluster.created_at)],
            ...(spec.source ? [[words.source, spec.source.backup] as const] : []),
            [
              words.id,
              <span key="id">
                <code>{cluster.id}</code> <CopyAction text={cluster.id} label={words.id} />
              </span>,
            ],
          ]}
        />
      </Card>
      {cluster.phase !== 'failed' && <ParametersCard cluster={cluster} />}
      {may.administer && <Danger cluster={cluster} />}
    </div>
  );
}

function ResizeButton({ cluster }: { cluster: ClusterView }) {
  const [isAsked, setIsAsked] = useState(false);
  return (
    <>
      <Button size="xs" variant="default" onClick={() => setIsAsked(true)}>
        {messages.resize.open}
      </Button>
      <ResizeDialog cluster={cluster} isOpen={isAsked} onClose={() => setIsAsked(false)} />
    </>
  );
}

function ReshardButton({ cluster }: { cluster: ClusterView }) {
  const [isAsked, setIsAsked] = useState(false);
  return (
    <>
      <Button size="xs" variant="default" onClick={() => setIsAsked(true)}>
        {messages.reshard.open}
      </Button>
      <ReshardDialog cluster={cluster} isOpen={isAsked} onClose={() => setIsAsked(false)} />
    </>
  );
}

function Danger({ cluster }: { cluster: ClusterView }) {
  const found = cluster.operations.find((operation) => operation.kind === 'delete_cluster');
  return (
    <Card title={messages.danger.title}>
      <div className={classes.danger}>
        <p>{(found?.allowed ?? true) ? messages.danger.text : found?.reason}</p>
        <div className={classes.buttons}>
          <ProtectButton cluster={cluster} />
          <DeleteButton cluster={cluster} />
        </div>
      </div>
    </Card>
  );
}

function ProtectButton({ cluster }: { cluster: ClusterView }) {
  const client = useQueryClient();
  const isProtected = Boolean(cluster.spec.protected);
  const change = useMutation({
    mutationFn: () => changeCluster(cluster, { protected: !isProtected }),
    onSuccess: (changed) => applyEvents(client, [{ kind: 'cluster', cluster: changed }]),
  });
  if (cluster.phase === 'failed' && !isProtected) return null;
  return (
    <>
      <Button variant="default" loading={change.isPending} onClick={() => change.mutate()}>
        {isProtected ? messages.danger.unprotect : messages.danger.protect}
      </Button>
      {change.error && <ErrorNote error={change.error} />}
    </>
  );
}
