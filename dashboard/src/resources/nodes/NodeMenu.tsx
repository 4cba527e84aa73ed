import { ActionIcon, Checkbox, Menu } from '@mantine/core';
import { type ReactNode, useState } from 'react';

import type { ClusterView, NodeView, OperationKind } from '../../api/types';
import {
  DotsIcon,
  DrainIcon,
  PowerIcon,
  PromoteIcon,
  ReplaceIcon,
  ReturnIcon,
  RetryIcon,
  TrashIcon,
} from '../../ui/icons';
import { AllowWaiting } from './AllowWaiting';
import { ConfirmOperation } from './ConfirmOperation';
import classes from './nodes.module.css';
import { messages } from './nodes.messages';
import { isSaid, NOW, type When, WhenChoice, whenOf } from './WhenChoice';
import { isForWaiting } from '../plans/waiting';

interface Props {
  cluster: ClusterView;
  node: NodeView;
}

type Asked =
  | 'switchover'
  | 'resync'
  | 'drain'
  | 'undrain'
  | 'reboot'
  | 'replace_node'
  | 'remove_node';

/** What can be done with a node; what cannot is listed with the reason, so that nobody searches. */
export function NodeMenu({ cluster, node }: Props) {
  const [asked, setAsked] = useState<Asked | null>(null);
  const [endsTransactions, setEndsTransactions] = useState(false);
  const [allowsWaiting, setAllowsWaiting] = useState(false);
  const [when, setWhen] = useState<When>(NOW);
  const resync = node.operations.find((operation) => operation.kind === 'resync');
  const isForWaits = isForWaiting(resync?.reason ?? '');
  const isDrained = node.phase === 'maintenance';
  // What was allowed is allowed this once.
  const close = () => {
    setAsked(null);
    setEndsTransactions(false);
    setAllowsWaiting(false);
    setWhen(NOW);
  };
  return (
    <>
      <Menu position="bottom-end" width={280}>
        <Menu.Target>
          <ActionIcon size={30} aria-label={messages.actionsOf(node.name)}>
            <DotsIcon />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Choice
            node={node}
            kind="switchover"
            icon={<PromoteIcon />}
            words={messages.promote}
            onChoose={() => setAsked('switchover')}
          />
          <Choice
            node={node}
            kind="resync"
            icon={<RetryIcon />}
            words={messages.resyncOne}
            onChoose={() => setAsked('resync')}
          />
          {isDrained ? (
            <Choice
              node={node}
              kind="undrain"
              icon={<ReturnIcon />}
              words={messages.undrain}
              onChoose={() => setAsked('undrain')}
            />
          ) : (
            <Choice
              node={node}
              kind="drain"
              icon={<DrainIcon />}
              words={messages.drain}
              onChoose={() => setAsked('drain')}
            />
          )}
          <Choice
            node={node}
            kind="reboot"
            icon={<PowerIcon />}
            words={messages.reboot}
            onChoose={() => setAsked('reboot')}
          />
          <Choice
            node={node}
            kind="replace_node"
            icon={<ReplaceIcon />}
            words={messages.replace}
            onChoose={() => setAsked('replace_node')}
          />
          <Choice
            node={node}
            kind="remove_node"
            icon={<TrashIcon />}
            words={messages.remove}
            onChoose={() => setAsked('remove_node')}
          />
        </Menu.Dropdown>
      </Menu>
      <ConfirmOperation
        cluster={cluster}
        request={{ kind: 'switchover', node: node.id, end_transactions: endsTransactions }}
        title={messages.promoteTitle(node.name)}
        action={messages.confirmPromote}
        choices={
          <Checkbox
            mt="md"
            checked={endsTransactions}
            onChange={(event) => setEndsTransactions(event.currentTarget.checked)}
            label={messages.endTransactions}
            description={messages.endTransactionsHint}
          />
        }
        isOpen={asked === 'switchover'}
        onClose={close}
      />
      <ConfirmOperation
        cluster={cluster}
        request={{ kind: 'resync', nodes: [node.id], copy: true, allow_waiting: allowsWaiting }}
        title={messages.resyncOneTitle(node.name)}
        action={messages.confirmResync}
        isDangerous
        choices={
          isForWaits && <AllowWaiting isAllowed={allowsWaiting} onChange={setAllowsWaiting} />
        }
        isOpen={asked === 'resync'}
        onClose={close}
      />
      {(['drain', 'reboot'] as const).map((kind) => (
        <ConfirmOperation
          key={kind}
          cluster={cluster}
          request={{
            kind,
            node: node.id,
            allow_waiting: allowsWaiting,
            ...(kind === 'reboot' ? whenOf(when) : {}),
          }}
          title={messages.leaveTitle[kind](node.name)}
          action={
            kind === 'reboot' && when.kind !== 'now'
              ? messages.confirmLater
              : messages.confirmLeave[kind]
          }
          isIncomplete={kind === 'reboot' && !isSaid(when)}
          choices={
            <>
              {kind === 'reboot' && <WhenChoice when={when} onChange={setWhen} />}
              <AllowWaiting isAllowed={allowsWaiting} onChange={setAllowsWaiting} />
            </>
          }
          isOpen={asked === kind}
          onClose={close}
        />
      ))}
      <ConfirmOperation
        cluster={cluster}
        request={{ kind: 'undrain', node: node.id }}
        title={messages.undrainTitle(node.name)}
        action={messages.undrain}
        isOpen={asked === 'undrain'}
        onClose={close}
      />
      <ConfirmOperation
        cluster={cluster}
        request={{ kind: 'replace_node', node: node.id }}
        title={messages.replaceTitle(node.name)}
        action={messages.confirmReplace}
        isDangerous
        isOpen={asked === 'replace_node'}
        onClose={close}
      />
      <ConfirmOperation
        cluster={cluster}
        request={{ kind: 'remove_node', node: node.id }}
        title={messages.removeTitle(node.name)}
        action={messages.confirmRemove}
        isDangerous
        isOpen={asked === 'remove_node'}
        onClose={close}
      />
    </>
  );
}

interface ChoiceProps {
  node: NodeView;
  kind: OperationKind;
  icon: ReactNode;
  words: string;
  onChoose: () => void;
}

function Choice({ node, kind, icon, words, onChoose }: ChoiceProps) {
  const found = node.operations.find((operation) => operation.kind === kind);
  // What a box in the dialog sets aside refuses nothing yet.
  const isAllowed = (found?.allowed ?? false) || isForWaiting(found?.reason ?? '');
  const reason = isAllowed ? '' : found?.reason || messages.unavailable;
  return (
    <Menu.Item
      leftSection={icon}
      disabled={!isAllowed}
      color={kind === 'remove_node' && isAllowed ? 'red' : undefined}
      onClick={onChoose}
    >
      <span className={classes.item}>
        {words}
        {reason && <span className={classes.reason}>{reason}</span>}
      </span>
    </Menu.Item>
  );
}
