import { Button, Checkbox, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { parametersQuery } from '../../api/queries';
import type { ClusterView, ParameterView } from '../../api/types';
import { Card } from '../../ui/Card';
import { ErrorNote } from '../../ui/ErrorNote';
import { startSentence } from '../../ui/format';
import { useMay } from '../people/may';
import { type Chosen, changedNames, choose, chosenOf, found } from './choose';
import { ConfirmParameters } from './ConfirmParameters';
import { ParameterFields } from './ParameterFields';
import classes from './parameters.module.css';
import { messages } from './parameters.messages';

/** The settings of a cluster's engine: looked at, searched, changed after a look at the difference. */
export function ParametersCard({ cluster }: { cluster: ClusterView }) {
  const parameters = useQuery(parametersQuery(cluster.id, cluster.generation, cluster.operation));
  return (
    <Card title={messages.title}>
      {parameters.error && (
        <ErrorNote error={parameters.error} retry={() => void parameters.refetch()} />
      )}
      {parameters.data && (
        // What is being typed belongs to the generation that was looked at.
        <Editor key={cluster.generation} cluster={cluster} parameters={parameters.data} />
      )}
    </Card>
  );
}

function Editor({ cluster, parameters }: { cluster: ClusterView; parameters: ParameterView[] }) {
  const before = chosenOf(parameters);
  const [edited, setEdited] = useState<Chosen | null>(null);
  const [text, setText] = useState('');
  const [onlyChosen, setOnlyChosen] = useState(false);
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [isAsked, setIsAsked] = useState(false);
  const chosen = edited ?? before;
  const changed = changedNames(before, chosen);
  const isKept = (one: ParameterView) =>
    !onlyChosen || one.name in chosen || (one.differs ?? []).length > 0;
  const shown = found(parameters, text).filter(isKept);
  const nothing = text.trim() === '' ? messages.noneChosen : messages.nothingFound(text.trim());
  const allowed = cluster.operations.find((one) => one.kind === 'reconfigure');
  const may = useMay(cluster);
  const isAllowed = may.operate && (allowed?.allowed ?? true);
  return (
    <>
      <p className={classes.about}>
        {isAllowed
          ? messages.about
          : may.operate
            ? startSentence(allowed?.reason ?? '')
            : messages.readOnly}
      </p>
      <div className={classes.toolbar}>
        <TextInput
          type="search"
          aria-label={messages.search}
          placeholder={messages.search}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
        <Checkbox
          label={messages.onlyChosen}
          checked={onlyChosen}
          onChange={(event) => setOnlyChosen(event.currentTarget.checked)}
        />
      </div>
      {shown.length === 0 && <p className={classes.nothing}>{nothing}</p>}
      <fieldset className={classes.bare} disabled={!may.operate}>
        <ParameterFields
          parameters={shown}
          chosen={chosen}
          errors={errors}
          onChange={(name, value) => {
            setEdited(choose(chosen, name, value));
            setErrors({});
          }}
        />
      </fieldset>
      {changed.length > 0 && (
        <div className={classes.bar}>
          <span aria-live="polite">{messages.changed(changed.length)}</span>
          <Button variant="default" onClick={() => setEdited(null)}>
            {messages.discard}
          </Button>
          <Button disabled={!isAllowed} onClick={() => setIsAsked(true)}>
            {messages.review}
          </Button>
        </div>
      )}
      <ConfirmParameters
        cluster={cluster}
        chosen={chosen}
        isOpen={isAsked}
        onRefused={(refused) => {
          setErrors(refused);
          setIsAsked(false);
        }}
        onClose={() => setIsAsked(false)}
      />
    </>
  );
}
