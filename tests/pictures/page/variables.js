// A dashboard's variables: what there is to choose, what is chosen, and their names in queries and titles.

import { ask, seriesName } from './prometheus.js';

const ALL = '$__all';
const NAME = /\$\{(\w+)(?::\w+)?\}|\$(\w+)/g;

/** The variables in their order, each with what is chosen: as the address says, else the dashboard, else the first that there is. */
export async function choose(dashboard, address, range) {
  const chosen = {};
  for (const variable of dashboard.templating.list) {
    const options = await offered(variable, chosen, range);
    const named = address.getAll(`var-${variable.name}`);
    const wanted = named.length ? named : [variable.current?.value ?? []].flat();
    const picked = options.filter(({ text, value }) => wanted.includes(value) || wanted.includes(text));
    if (picked.length < wanted.length) throw new Error(`${variable.name} has no ${wanted.join(', ')}`);
    if (!options.length) throw new Error(`there is nothing to choose for ${variable.name}`);
    chosen[variable.name] = { variable, options: picked.length ? picked : [options[0]] };
  }
  return chosen;
}

async function offered(variable, chosen, range) {
  if (variable.type === 'datasource') return [{ text: 'Prometheus', value: 'prometheus' }];
  const texts = await found(inQuery(variable.query.query, chosen, {}), range);
  const options = unique(texts.flatMap((text) => option(text, variable.regex)));
  if (variable.sort === 1) options.sort((a, b) => a.text.localeCompare(b.text, 'da'));
  return variable.includeAll ? [{ text: 'Alle', value: ALL }, ...options] : options;
}

async function found(query, range) {
  const values = /^label_values\((.+),\s*(\w+)\)$/s.exec(query);
  if (values) {
    const series = await ask('series', { 'match[]': values[1], start: range.from.unix(), end: range.to.unix() });
    return series.map((labels) => labels[values[2]]);
  }
  const [, expr] = /^query_result\((.+)\)$/s.exec(query);
  const { result } = await ask('query', { query: expr, time: range.to.unix() });
  return result.map(({ metric, value }) => `${seriesName(metric)} ${value[1]} ${value[0] * 1000}`);
}

function option(text, regex) {
  if (!regex) return [{ text, value: text }];
  const [, pattern, flags] = /^\/(.*)\/(\w*)$/s.exec(regex);
  const match = new RegExp(pattern, flags).exec(text);
  if (!match) return [];
  const value = match.groups?.value ?? match[1] ?? match[0];
  return [{ text: match.groups?.text ?? value, value }];
}

function unique(options) {
  return [...new Map(options.map((one) => [one.value, one])).values()];
}

/** Values as Prometheus is asked for them: a pattern where several can be chosen. */
export function inQuery(text, chosen, words) {
  return replaced(text, (name) => words[name] ?? (chosen[name] && asValue(chosen[name])));
}

/** Values as people read them. */
export function inTitle(text, chosen) {
  return replaced(text, (name) => chosen[name] && readable(chosen[name]));
}

export function readable({ options }) {
  return options.map(({ text }) => text).join(' + ');
}

function asValue({ variable, options }) {
  const values = options.map(({ value }) => value);
  if (values.includes(ALL)) return variable.allValue;
  if (!variable.multi) return values[0];
  const escaped = values.map((value) => value.replace(/[\\^$*+?.()|[\]{}]/g, '\\\\$&'));
  return escaped.length > 1 ? `(${escaped.join('|')})` : escaped[0];
}

function replaced(text, value) {
  return text.replace(NAME, (whole, braced, bare) => value(braced ?? bare) ?? whole);
}
