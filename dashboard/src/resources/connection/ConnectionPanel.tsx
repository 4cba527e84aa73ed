import { Button, SegmentedControl, Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { connectionQuery } from '../../api/queries';
import type { ClusterView, Connection } from '../../api/types';
import { Card } from '../../ui/Card';
import { CopyAction, CopyText } from '../../ui/CopyText';
import { ErrorNote } from '../../ui/ErrorNote';
import { Facts } from '../../ui/Facts';
import { DownloadIcon, EyeIcon, EyeOffIcon } from '../../ui/icons';
import { saveText } from '../../ui/saveText';
import { useMay } from '../people/may';
import classes from './connection.module.css';
import { messages } from './connection.messages';

type Endpoint = 'read_write' | 'read_only';
const endpoints: Endpoint[] = ['read_write', 'read_only'];

/** Everything a client needs, ready to be copied. */
export function ConnectionPanel({ cluster }: { cluster: ClusterView }) {
  const [isRevealed, setIsRevealed] = useState(false);
  const query = useQuery(connectionQuery(cluster.id, isRevealed));
  const connection = query.data;
  const may = useMay(cluster);
  return (
    <Card title={messages.title}>
      {query.error && !connection && (
        <ErrorNote
          error={query.error}
          retry={() => void query.refetch()}
          isRetrying={query.isFetching}
        />
      )}
      {query.isPending && (
        <div style={{ display: 'grid', gap: 12 }} aria-busy="true">
          <Skeleton height={30} width={260} />
          <Skeleton height={74} />
          <Skeleton height={60} />
        </div>
      )}
      {connection && connection.read_write.length === 0 && (
        <p className={classes.help}>{messages.notYet}</p>
      )}
      {connection && connection.read_write.length > 0 && (
        <Panel
          connection={connection}
          isOfEquals={cluster.spec.multi_primary ?? false}
          mayReveal={may.operate}
          isRevealed={isRevealed}
          isWaiting={query.isPlaceholderData}
          onReveal={setIsRevealed}
        />
      )}
    </Card>
  );
}

interface PanelProps {
  connection: Connection;
  /** Every node accepts writes. */
  isOfEquals: boolean;
  mayReveal: boolean;
  isRevealed: boolean;
  isWaiting: boolean;
  onReveal: (isRevealed: boolean) => void;
}

function Panel(props: PanelProps) {
  const { connection, isOfEquals, mayReveal, isRevealed, isWaiting, onReveal } = props;
  const help = isOfEquals ? messages.endpointHelpOfEquals : messages.endpointHelp;
  const [endpoint, setEndpoint] = useState<Endpoint>('read_write');
  const [client, setClient] = useState('');
  const examples = connection.examples.filter((example) => example.endpoint === endpoint);
  const example = examples.find((one) => one.name === client) ?? examples[0];
  return (
    <div className={classes.panel}>
      <div className={classes.top}>
        <SegmentedControl
          size="xs"
          aria-label={messages.endpointLabel}
          value={endpoint}
          onChange={(value) => setEndpoint(value as Endpoint)}
          data={endpoints.map((value) => ({ value, label: messages.endpoints[value] ?? value }))}
        />
        <SegmentedControl
          size="xs"
          aria-label={messages.exampleLabel}
          value={example?.name ?? ''}
          onChange={setClient}
          data={examples.map(({ name, title }) => ({ value: name, label: title }))}
        />
      </div>
      <p className={classes.help}>{help[endpoint]}</p>
      {example && <CopyText text={example.text} label={messages.copyOf(example.title)} />}
      {!isRevealed && <p className={classes.help}>{messages.placeholder}</p>}
      <Values
        connection={connection}
        addresses={connection[endpoint]}
        mayReveal={mayReveal}
        isRevealed={isRevealed}
        isWaiting={isWaiting}
        onReveal={onReveal}
      />
    </div>
  );
}

function Values(props: Omit<PanelProps, 'isOfEquals'> & { addresses: string[] }) {
  const { connection, addresses, mayReveal, isRevealed, isWaiting, onReveal } = props;
  const password = isRevealed ? connection.password : undefined;
  return (
    <Facts
      rows={[
        [
          messages.addresses,
          <span key="addresses" className={`${classes.mono} ${classes.addresses}`}>
            {addresses.map((address) => (
              <span key={address}>{address}</span>
            ))}
          </span>,
        ],
        ...(connection.database === ''
          ? []
          : [[messages.database, <span className={classes.mono}>{connection.database}</span>] as const]),
        [messages.user, <span className={classes.mono}>{connection.user}</span>],
        [
          messages.password,
          <span key="password" className={classes.value}>
            <span className={classes.mono}>{password ?? messages.hidden}</span>
            {password && <CopyAction text={password} label={messages.password} />}
            {mayReveal && (
              <Button
                size="compact-xs"
                variant="subtle"
                loading={isRevealed && isWaiting}
                leftSection={isRevealed ? <EyeOffIcon size={13} /> : <EyeIcon size={13} />}
                onClick={() => onReveal(!isRevealed)}
              >
                {isRevealed ? messages.hide : messages.reveal}
              </Button>
            )}
          </span>,
        ],
        [
          messages.certificate,
          <span key="certificate" className={classes.value}>
            <Button
              size="compact-xs"
              variant="subtle"
              leftSection={<DownloadIcon size={13} />}
              onClick={() => saveText('ca.pem', connection.ca_certificate)}
            >
              {messages.download}
            </Button>
            <span className={classes.help}>{connection.ca_note ?? messages.certificateHelp}</span>
          </span>,
        ],
      ]}
    />
  );
}
