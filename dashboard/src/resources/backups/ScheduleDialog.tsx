import { Button, Checkbox, Modal, NumberInput, Radio, Stack, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';

import { changeCluster } from '../../api/clusters';
import { applyEvents } from '../../api/feed';
import { asProblem } from '../../api/problem';
import type { ClusterView } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import { startSentence } from '../../ui/format';
import { useEngine } from '../clusters/useEngine';
import { messages } from './backups.messages';
import classes from './backups.module.css';
import { fromRateKib, RateInput, toRateKib } from './RateInput';
import { RepositorySelect, useRepositoryChoice } from './RepositorySelect';
import { RetentionInputs } from './RetentionInputs';
import {
  choiceOf,
  plainWords,
  type ScheduleChoice,
  scheduleChoices,
  scheduleOf,
  usualRetention,
} from './schedule';

interface Props {
  cluster: ClusterView;
  isOpen: boolean;
  onClose: () => void;
}

/** Lets backups begin by themselves, or no more. */
export function ScheduleDialog({ cluster, isOpen, onClose }: Props) {
  const title = <strong>{messages.scheduleTitle(cluster.name)}</strong>;
  return (
    <Modal opened={isOpen} onClose={onClose} title={title}>
      <Form cluster={cluster} onClose={onClose} />
    </Modal>
  );
}

function Form({ cluster, onClose }: Omit<Props, 'isOpen'>) {
  const known = cluster.spec.backup;
  const client = useQueryClient();
  const [choice, setChoice] = useState<ScheduleChoice>(known ? choiceOf(known.schedule) : 'daily');
  const [own, setOwn] = useState(known?.schedule ?? '30 1 * * *');
  const [repository, setRepository] = useRepositoryChoice(known?.repository);
  const [keep, setKeep] = useState({ ...usualRetention, ...known?.keep });
  const [verify, setVerify] = useState(known?.verify ?? true);
  const [keepsLog, setKeepsLog] = useState(known?.point_in_time ?? false);
  const [rate, setRate] = useState(fromRateKib(known?.rate_kib));
  const [isChecked, setIsChecked] = useState(false);
  const save = useMutation({
    mutationFn: () => {
      const schedule = scheduleOf(choice, own);
      const wanted = {
        schedule: schedule ?? '',
        repository,
        keep,
        verify,
        rate_kib: toRateKib(rate),
        point_in_time: keepsLog,
      };
      return changeCluster(cluster, { backup: schedule === null ? null : wanted });
    },
    onSuccess: (changed) => {
      applyEvents(client, [{ kind: 'cluster', cluster: changed }]);
      onClose();
    },
  });
  const engine = useEngine(cluster);
  const canKeepLog = engine?.capabilities.point_in_time ?? false;
  const isOn = choice !== 'off';
  const plain = plainWords(own);
  const errors = Object.fromEntries(
    save.error ? asProblem(save.error).fields.map((one) => [one.field, startSentence(one.message)]) : [],
  );
  const placed = ['backup.schedule', 'backup.keep', 'backup.repository', 'backup.point_in_time'];
  const isPlaced = placed.some((field) => field in errors);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setIsChecked(true);
    if (!isOn || repository !== '') save.mutate();
  };
  return (
    <form className={classes.form} onSubmit={submit}>
      <Radio.Group
        label={messages.when}
        value={choice}
        error={choice === 'own' ? undefined : errors['backup.schedule']}
        onChange={(value) => setChoice(value as ScheduleChoice)}
      >
        <Stack gap={8} mt={6}>
          {scheduleChoices.map((value) => (
            <Radio key={value} value={value} label={messages.choices[value]} />
          ))}
        </Stack>
      </Radio.Group>
      {choice === 'own' && (
        <div>
          <TextInput
            label={messages.choices.own}
            description={messages.cron}
            value={own}
            error={errors['backup.schedule']}
            onChange={(event) => setOwn(event.currentTarget.value)}
          />
          {plain && <p className={classes.dim}>{messages.cronIs(plain)}</p>}
        </div>
      )}
      {isOn && (
        <>
          <RepositorySelect
            value={repository}
            error={
              errors['backup.repository'] ??
              (isChecked && repository === '' ? messages.chooseRepository : undefined)
            }
            onChange={setRepository}
          />
          <RetentionInputs keep={keep} error={errors['backup.keep']} onChange={setKeep} />
          <Checkbox
            checked={verify}
            onChange={(event) => setVerify(event.currentTarget.checked)}
            label={messages.verifyEach}
            description={messages.verifyEachHint}
          />
          {(canKeepLog || keepsLog) && (
            <Checkbox
              checked={keepsLog}
              error={errors['backup.point_in_time']}
              onChange={(event) => setKeepsLog(event.currentTarget.checked)}
              label={messages.keepLog}
              description={messages.keepLogHint}
            />
          )}
          {keepsLog && (
            <NumberInput
              maw={300}
              label={messages.logDays}
              value={keep.log_days}
              min={0}
              max={9_999}
              allowDecimal={false}
              onChange={(value) => setKeep({ ...keep, log_days: Number(value) || 0 })}
            />
          )}
          <RateInput value={rate} onChange={setRate} />
        </>
      )}
      {save.error && !isPlaced && <ErrorNote error={save.error} />}
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
