// What is asked: the same of the bridge and of CAP. Each kind gives the options of one request, drawn from a seeded source; `same` says
// how two answers are compared, `sql` what DuckDB is asked.

import { isDeepStrictEqual } from 'node:util';

export const SHOWN = ['Periode', 'Område', 'Køn', 'Herkomst', 'Antal_personer', 'Antal_fuldtidspersoner'];
export const FIGURES = SHOWN.slice(-2);

/** A small generator (mulberry32): the same requests in every run. */
export const seeded = (seed) => {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit) => Math.floor(next() * limit);
  const one = (list) => list[below(list.length)];
  const shuffled = (list) => {
    const left = [...list];
    return list.map(() => left.splice(below(left.length), 1)[0]);
  };
  return { below, one, shuffled };
};

const cells = (rows, columns) => rows.map((row) => columns.map((name) => row[name] ?? null));
const rowsOf = (text) => JSON.parse(text).value;

const sameRows = (columns) => (ours, theirs) => isDeepStrictEqual(cells(rowsOf(ours), columns), cells(rowsOf(theirs), columns));

/** The same figures in the same order, and the same rows above the last figure; which of the rows with the last one come is open. */
const sameTop = (ours, theirs, { figure }) => {
  const [left, right] = [rowsOf(ours), rowsOf(theirs)];
  const figures = (rows) => rows.map((row) => row[figure]);
  const sure = (rows) =>
    cells(
      rows.filter((row) => row[figure] > rows.at(-1)[figure]),
      SHOWN,
    )
      .map(String)
      .toSorted();
  return isDeepStrictEqual(figures(left), figures(right)) && isDeepStrictEqual(sure(left), sure(right));
};

const sameGroups = (ours, theirs, { alias }) => {
  const groups = (text) => cells(rowsOf(text), ['Område', alias]).map(String).toSorted();
  return isDeepStrictEqual(groups(ours), groups(theirs));
};

const columns = (random) => random.shuffled(SHOWN).join(',');

const named = (names) => names.split(',').map((name) => `"${name}"`).join(', ');
/** A condition of these requests as SQL. */
const where = ({ $filter }) => ($filter ? `WHERE ${$filter.replace(/(\S+) eq /g, '"$1" = ').replace(/(\S+) gt /g, '"$1" > ')}` : '');
const rowsInSql = (options) => {
  const { $select, $orderby, $top } = options;
  const order = $orderby ? `ORDER BY "${$orderby.split(' ')[0]}" DESC NULLS LAST` : '';
  return `SELECT ${$select ? named($select) : '*'} FROM figures ${where(options)} ${order} ${$top ? `LIMIT ${$top}` : ''}`;
};

/** All kinds, over the periods, areas and columns of the set. */
export const kinds = ({ periods, areas, whole }) => {
  const period = (random) => `Periode eq '${random.one(periods)}'`;
  const area = (random) => `Område eq '${random.one(areas).replaceAll("'", "''")}'`;
  // The number of rows differs a little, so that there are enough different requests.
  const thousand = (random) => ({ $filter: period(random), $top: 1000 - random.below(20) });
  const all = [
    {
      name: 'filter on a period, 1,000 rows of 6 columns',
      ask: (random) => ({ options: { $select: columns(random), $filter: period(random), $top: 1000 } }),
      same: sameRows(SHOWN),
      aim: [20, 40],
    },
    {
      id: 'wide',
      name: 'the same with all 22 columns (CAP: its 7)',
      ask: (random) => ({ options: thousand(random) }),
      same: sameRows(SHOWN),
      aim: [8, 20],
    },
    {
      name: 'the same with all 22 columns, CAP too',
      set: 'WholeRows',
      ask: (random) => ({ options: thousand(random) }),
      same: sameRows(whole),
    },
    {
      id: 'gzip',
      name: 'all 22 columns gzipped (CAP: its 7, plain)',
      ask: (random) => ({ options: thousand(random) }),
      same: sameRows(SHOWN),
      gzip: true,
      aim: [5, undefined],
    },
    {
      id: 'groups',
      name: 'rows per area, `groupby((Område),aggregate($count as N))`, whole set',
      ask: (random) => {
        const alias = `N${random.below(1e6)}`;
        return { options: { $apply: `groupby((Område),aggregate($count as ${alias}))` }, alias };
      },
      same: sameGroups,
      sql: ({ alias }) => `SELECT "Område", count(*) AS "${alias}" FROM figures GROUP BY "Område"`,
      aim: [20, 20],
    },
    {
      name: 'filter on period and area, 18 rows',
      ask: (random) => ({ options: { $select: SHOWN.join(','), $filter: `${period(random)} and ${area(random)}` } }),
      same: sameRows(SHOWN),
      aim: [10, 20],
    },
    {
      name: 'one area, figure above a bound, sorted, top 100',
      ask: (random) => {
        const figure = random.one(FIGURES);
        const $filter = `${area(random)} and ${figure} gt ${5 + random.below(40)}`;
        return { options: { $select: SHOWN.join(','), $filter, $orderby: `${figure} desc`, $top: 100 }, figure };
      },
      same: sameTop,
      aim: [10, 20],
    },
    {
      name: 'count of rows with a figure above a bound, whole set',
      path: '/$count',
      ask: (random) => ({ options: { $filter: `${random.one(FIGURES)} gt ${random.below(3000)}` } }),
      same: (ours, theirs) => Number(ours) === Number(theirs),
      sql: ({ options }) => `SELECT count(*) FROM figures ${where(options)}`,
      aim: [50, 50],
    },
    {
      name: 'whole set sorted by a figure, top 100',
      ask: (random) => {
        const figure = random.one(FIGURES);
        return { options: { $select: columns(random), $orderby: `${figure} desc`, $top: 100 + random.below(5) }, figure };
      },
      same: sameTop,
      aim: [10, 10],
    },
  ];
  return all.map((kind) => ({ sql: ({ options }) => rowsInSql(options), ...kind }));
};
