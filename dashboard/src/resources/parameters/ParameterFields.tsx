import { Badge, Select, TextInput } from '@mantine/core';

import type { ParameterView } from '../../api/types';
import { type Chosen, grouped } from './choose';
import classes from './parameters.module.css';
import { messages } from './parameters.messages';

interface Props {
  parameters: ParameterView[];
  chosen: Chosen;
  errors: Record<string, string>;
  onChange: (name: string, value: string | undefined) => void;
}

/** One field for each setting, in groups; what can be had and the default beside it. */
export function ParameterFields({ parameters, chosen, errors, onChange }: Props) {
  return grouped(parameters).map(([title, members]) => (
    <section key={title} className={classes.group} aria-label={title}>
      <h3 className={classes.groupTitle}>{title}</h3>
      {members.map((one) => (
        <Field
          key={one.name}
          parameter={one}
          value={chosen[one.name]}
          error={errors[`parameters.${one.name}`]}
          onChange={(value) => onChange(one.name, value)}
        />
      ))}
    </section>
  ));
}

interface FieldProps {
  parameter: ParameterView;
  value: string | undefined;
  error: string | undefined;
  onChange: (value: string | undefined) => void;
}

function Field({ parameter, value, error, onChange }: FieldProps) {
  const { name, title, summary, restart } = parameter;
  const differs = parameter.differs ?? [];
  return (
    <div className={classes.field} data-chosen={value !== undefined || undefined}>
      <div className={classes.words}>
        <p className={classes.name}>
          {title} <code>{name}</code>
          {restart && (
            <Badge size="xs" variant="light" color="gray" tt="none" className={classes.restart}>
              {messages.restart}
            </Badge>
          )}
        </p>
        <p className={classes.summary}>{summary}</p>
        {differs.map((drift) => (
          <p key={drift.node} className={classes.drift}>
            {messages.differs(drift.node, drift.in_force, drift.needs_restart)}
          </p>
        ))}
      </div>
      <div className={classes.input}>
        <Input parameter={parameter} value={value} error={error} onChange={onChange} />
        {value !== undefined && (
          <button
            type="button"
            className={classes.reset}
            aria-label={messages.resetLabel(name)}
            onClick={() => onChange(undefined)}
          >
            {messages.reset}
          </button>
        )}
      </div>
    </div>
  );
}

function Input({ parameter, value, error, onChange }: FieldProps) {
  const { name, kind, choices, range } = parameter;
  const byDefault = messages.byDefault(parameter.default);
  const words = kind === 'boolean' ? ['on', 'off'] : (choices ?? []);
  if (kind === 'boolean' || kind === 'choice') {
    return (
      <Select
        aria-label={name}
        description={byDefault}
        inputWrapperOrder={['input', 'description', 'error']}
        value={value ?? parameter.default}
        data={words}
        error={error}
        allowDeselect={false}
        onChange={(next) => onChange(next ?? undefined)}
      />
    );
  }
  return (
    <TextInput
      aria-label={name}
      description={`${byDefault} · ${messages.possible(range)}`}
      inputWrapperOrder={['input', 'description', 'error']}
      value={value ?? ''}
      placeholder={parameter.default}
      autoComplete="off"
      autoCapitalize="none"
      spellCheck={false}
      error={error}
      onChange={(event) => onChange(event.currentTarget.value || undefined)}
    />
  );
}
