// Asks Prometheus what Grafana's data source would ask it, and gives the answers as Grafana's data frames.

import { FieldType, createDataFrame, rangeUtil } from '@grafana/data';

/** Names of metrics and labels as Grafana writes a series: `name{label="value"}`. */
export function seriesName({ __name__: name = '', ...labels }) {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return `${name}{${pairs.join(', ')}}`;
}

export async function ask(path, parameters) {
  const answer = await fetch(`/api/v1/${path}`, { method: 'POST', body: new URLSearchParams(parameters) });
  const { status, data, error } = await answer.json();
  if (status !== 'success') throw new Error(`${path} ${JSON.stringify(parameters)}: ${error}`);
  return data;
}

/** The step of a graph that is so many pixels wide, and what stands for it in queries. */
export function intervals(range, width, scrapeInterval) {
  const { interval, intervalMs } = rangeUtil.calculateInterval(range, Math.round(width), scrapeInterval);
  const scrape = rangeUtil.intervalToSeconds(scrapeInterval);
  const rate = Math.max(intervalMs / 1000 + scrape, 4 * scrape);
  const span = Math.round((range.to.valueOf() - range.from.valueOf()) / 1000);
  const words = { __interval: interval, __rate_interval: `${Math.ceil(rate)}s`, __range: `${span}s` };
  return { step: intervalMs / 1000, words };
}

export async function query(target, expr, range, step, many) {
  const to = range.to.unix();
  if (target.instant) {
    const { result } = await ask('query', { query: expr, time: to });
    const series = result.map(({ metric, value }) => ({ metric, values: [value] }));
    return target.format === 'table' ? [table(target, series, many)] : series.map((one) => line(target, one));
  }
  const [start, end] = [range.from.unix(), to].map((at) => Math.floor(at / step) * step);
  const { result } = await ask('query_range', { query: expr, start, end, step });
  return result.map((one) => line(target, one, step));
}

function legend({ legendFormat }, metric) {
  if (!legendFormat || legendFormat === '__auto') return seriesName(metric);
  return legendFormat.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => metric[label] ?? '');
}

function line(target, { metric, values }, step) {
  const { __name__, ...labels } = metric;
  return createDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, config: step ? { interval: step * 1000 } : {}, values: values.map(([at]) => at * 1000) },
      {
        name: 'Value',
        type: FieldType.number,
        labels,
        config: { displayNameFromDS: legend(target, metric) },
        values: values.map(([, value]) => Number(value)),
      },
    ],
  });
}

/** A row for each series, a column for each label. */
function table(target, series, many) {
  const labels = [...new Set(series.flatMap(({ metric }) => Object.keys(metric)))].sort();
  const columns = labels.map((label) => ({
    name: label,
    type: FieldType.string,
    values: series.map(({ metric }) => metric[label] ?? ''),
  }));
  const [at, value] = [0, 1].map((part) => series.map(({ values }) => Number(values[0][part])));
  return createDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: at.map((seconds) => seconds * 1000) },
      ...columns,
      { name: many ? `Value #${target.refId}` : 'Value', type: FieldType.number, values: value },
    ],
  });
}
