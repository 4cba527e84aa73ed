import { TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { engineParametersQuery } from '../../api/queries';
import type { ClusterSpec } from '../../api/types';
import { ErrorNote } from '../../ui/ErrorNote';
import { type Chosen, choose, found } from './choose';
import { ParameterFields } from './ParameterFields';
import classes from './parameters.module.css';
import { messages } from './parameters.messages';

interface Props {
  spec: ClusterSpec;
  chosen: Chosen;
  errors: Record<string, string>;
  onChange: (chosen: Chosen) => void;
}

/** The settings of an engine for a cluster that is to be made, folded away until asked for. */
export function AdvancedParameters({ spec, chosen, errors, onChange }: Props) {
  const hasErrors = Object.keys(errors).some((field) => field.startsWith('parameters.'));
  const [isOpen, setIsOpen] = useState(Object.keys(chosen).length > 0);
  const [text, setText] = useState('');
  const isShown = isOpen || hasErrors;
  const parameters = useQuery({ ...engineParametersQuery(spec), enabled: isShown });
  const shown = found(parameters.data ?? [], text);
  return (
    <details
      className={classes.advanced}
      open={isShown}
      onToggle={(event) => setIsOpen(event.currentTarget.open)}
    >
      <summary>{messages.advanced}</summary>
      <p className={classes.about}>{messages.advancedAbout}</p>
      {parameters.error && (
        <ErrorNote error={parameters.error} retry={() => void parameters.refetch()} />
      )}
      {parameters.data && (
        <>
          <div className={classes.toolbar}>
            <TextInput
              type="search"
              aria-label={messages.search}
              placeholder={messages.search}
              value={text}
              onChange={(event) => setText(event.currentTarget.value)}
            />
          </div>
          {shown.length === 0 && <p className={classes.nothing}>{messages.nothingFound(text)}</p>}
          <ParameterFields
            parameters={shown}
            chosen={chosen}
            errors={errors}
            onChange={(name, value) => onChange(choose(chosen, name, value))}
          />
        </>
      )}
    </details>
  );
}
