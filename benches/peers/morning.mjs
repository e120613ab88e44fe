// What the measured rates come to on the morning of a national roll-out, when all analysts open what they have at the same time.

import { number, table } from './table.mjs';

const ANALYSTS = 98 * 50;
const GIGABIT = 1e9 / 8;
// Within so many seconds everybody should have an answer.
const PATIENCE = 300;
// What one analyst asks for: how often each kind of answer.
const MORNINGS = {
  'a workbook of three sets, 1,000 rows of all columns each': { service: 1, metadata: 1, rows: 3 },
  'a workbook of three sets, 50,000 rows of all columns each': { service: 1, metadata: 1, page: 3 },
};

/** A table of both mornings, from what wrk found for each kind of answer at sixteen connections. */
export const morning = (found) => {
  const sum = (asked, cost) => ANALYSTS * Object.entries(asked).reduce((all, [kind, times]) => all + times * cost(found[kind]), 0);
  const rows = Object.entries(MORNINGS).map(([name, asked]) => {
    const seconds = sum(asked, ({ rate }) => 1 / rate);
    const bytes = sum(asked, (one) => one.bytes / one.requests);
    return [
      name,
      sum(asked, () => 1).toFixed(0),
      `${number(seconds)} s`,
      `${number(bytes / 1e9)} GB`,
      `${number(bytes / GIGABIT)} s`,
      Math.ceil(seconds / PATIENCE).toFixed(0),
    ];
  });
  const head = ['each of 4,900 analysts opens', 'requests', 'one machine answers all in', 'bytes', 'at 1 Gbit/s', 'machines for five minutes'];
  return table(head, rows);
};
