import { Button, Modal, Radio, Stack, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { changeCluster } from '../../api/clusters';
import { applyEvents } from '../../api/feed';
import type { ClusterView, DrillKind } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import { messages } from './drills.messages';
import classes from './drills.module.css';
import { KindChoice } from './KindChoice';
import { choiceOf, cronOf, type ScheduleChoice } from './schedule';

interface Props {
  cluster: ClusterView;
  isOpen: boolean;
  onClose: () => void;
}

const choices: ScheduleChoice[] = ['off', 'weekly', 'monthly', 'own'];

/** Lets drills begin by themselves, or no more. */
export function ScheduleDialog({ cluster, isOpen, onClose }: Props) {
  const title = <strong>{messages.scheduleTitle(cluster.name)}</strong>;
  return (
    <Modal opened={isOpen} onClose={onClose} title={title}>
      <Form cluster={cluster} onClose={onClose} />
    </Modal>
  );
}

function Form({ cluster, onClose }: Omit<Props, 'isOpen'>) {
  const known = cluster.spec.drill;
  const client = useQueryClient();
  const [choice, setChoice] = useState(choiceOf(known?.schedule));
  const [own, setOwn] = useState(known?.schedule ?? '0 4 * * 0');
  const [kind, setKind] = useState<DrillKind>(known?.kind ?? 'switchover');
  const [allowLoss, setAllowLoss] = useState(known?.allow_loss ?? false);
  const save = useMutation({
    mutationFn: () => {
      const schedule = cronOf(choice, own);
      const isLossy = kind === 'failover' && allowLoss;
      const drill = schedule === null ? null : { schedule, kind, allow_loss: isLossy };
      return changeCluster(cluster, { drill });
    },
    onSuccess: (changed) => {
      applyEvents(client, [{ kind: 'cluster', cluster: changed }]);
      onClose();
    },
  });
  return (
    <form
      className={classes.form}
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <Radio.Group
        label={messages.when}
        value={choice}
        onChange={(value) => setChoice(value as ScheduleChoice)}
      >
        <Stack gap={8} mt={6}>
          {choices.map((value) => (
            <Radio key={value} value={value} label={messages.choices[value]} />
          ))}
        </Stack>
      </Radio.Group>
      {choice === 'own' && (
        <TextInput
          label={messages.choices.own}
          description={messages.cron}
          value={own}
          onChange={(event) => setOwn(event.currentTarget.value)}
        />
      )}
      {choice !== 'off' && (
        <KindChoice
          kind={kind}
          allowLoss={allowLoss}
          isAsync={cluster.spec.replication === 'async'}
          onChange={(next, isAllowed) => {
            setKind(next);
            setAllowLoss(isAllowed);
          }}
        />
      )}
      {save.error && <ErrorNote error={save.error} />}
      <div className={classes.formButtons}>
        <Button variant="default" onClick={onClose}>
          {messages.cancel}
        </Button>
        <Button type="submit" loading={save.isPending}>
          {messages.save}
        </Button>
      </div>
    </form>
  );
}
