// So much of Power Query's language, M, as the bridge's texts need, with Microsoft's parser in front: a text is done as it is written, and
// what it asks of a feed is asked over HTTP as Power Query asks it. A name that is not known here ends the run.

import assert from "node:assert/strict";
import parser from "@microsoft/powerquery-parser";

const HEADERS = {
  Accept:
    "application/json;odata.metadata=minimal;q=1.0,application/json;odata=minimalmetadata;q=0.9,application/atomsvc+xml;q=0.8,application/atom+xml;q=0.8,application/xml;q=0.7,text/plain;q=0.7",
  "OData-MaxVersion": "4.0",
  MaxDataServiceVersion: "3.0",
  Prefer: "omit-values=nulls",
  "User-Agent": "Microsoft.Data.Mashup (https://go.microsoft.com/fwlink/?LinkID=304225)",
  "Accept-Encoding": "gzip, deflate",
};
const OPTIONS = { Implementation: "2.0", ODataVersion: 4, OmitValues: "nulls" };
const DATE = /^\d{4}-\d\d-\d\d$/;
const CLOCK = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/;
const TYPES = {
  text: (value) => typeof value === "string",
  number: (value) => typeof value === "number",
  "Int64.Type": Number.isInteger,
  date: (value) => DATE.test(value),
  datetime: (value) => CLOCK.test(value),
  logical: (value) => typeof value === "boolean",
};
const COMPARED = { ">=": ["ge", (a, b) => a >= b], "<": ["lt", (a, b) => a < b], "=": ["eq", (a, b) => a === b] };

/** The tree of a text, as Microsoft's parser reads it. */
export async function parsed(name, text) {
  const task = await parser.TaskUtils.tryLexParse(parser.DefaultSettings, text.replace(/^\ufeff/, ""));
  assert.ok(parser.TaskUtils.isParseStageOk(task), `${name}: ${task.error?.message}\n${text}`);
  return task.ast;
}

/** The value of an expression, or the members of a section, by name. `members` are the names that stand around it. */
export async function evaluated(name, text, members = {}) {
  const tree = await parsed(name, text);
  if (tree.kind !== "Section") return value(tree, within(LIBRARY, members));
  return bound(tree.sectionMembers.elements.map((member) => member.namePairedExpression), within(LIBRARY, members));
}

/** Names with what they stand for, which is worked out when it is asked for. */
function bound(pairs, outer) {
  const scope = Object.create(outer);
  for (const { key, value: expression } of pairs) {
    let known;
    Object.defineProperty(scope, named(key.literal), { enumerable: true, get: () => (known ??= value(expression, scope)) });
  }
  return scope;
}

const within = (scope, names) => Object.assign(Object.create(scope), names);
const named = (literal) => (literal.startsWith('#"') ? unquoted(literal.slice(1)) : literal);
const CONTROLS = { cr: "\r", lf: "\n", tab: "\t", "#": "#" };
const unescaped = (code) => CONTROLS[code] ?? String.fromCodePoint(parseInt(code, 16));
const unquoted = (literal) => literal.slice(1, -1).replace(/""|#\(([^)]*)\)/g, (quote, codes) => (codes ? codes.split(",").map(unescaped).join("") : '"'));
const items = (wrapper) => wrapper.elements.map((element) => element.node);
const listed = (nodes, scope) => Promise.all(nodes.map((node) => value(node, scope)));

async function value(node, scope) {
  const done = EXPRESSIONS[node.kind];
  assert.ok(done, `${node.kind} is not known here`);
  return done(node, scope);
}

const EXPRESSIONS = {
  LetExpression: (node, scope) => value(node.expression, bound(items(node.variableList), scope)),
  LiteralExpression: ({ literal, literalKind }) => (literalKind === "Text" ? unquoted(literal) : JSON.parse(literal)),
  ListExpression: (node, scope) => listed(items(node.content), scope),
  RecordExpression: async (node, scope) => {
    const pairs = items(node.content).map(async (pair) => [named(pair.key.literal), await value(pair.value, scope)]);
    return Object.fromEntries(await Promise.all(pairs));
  },
  ParenthesizedExpression: (node, scope) => value(node.content, scope),
  MetadataExpression: (node, scope) => value(node.left, scope),
  TypePrimaryType: ({ paired }) => ({ type: paired.primitiveTypeKind ?? paired.kind }),
  IfExpression: async (node, scope) => value((await value(node.condition, scope)) ? node.trueExpression : node.falseExpression, scope),
  ArithmeticExpression: async (node, scope) => {
    assert.equal(node.operatorConstant.constantKind, "&");
    return (await value(node.left, scope)) + (await value(node.right, scope));
  },
  EqualityExpression: compared,
  RelationalExpression: compared,
  LogicalExpression: async (node, scope) => {
    assert.equal(node.operatorConstant.constantKind, "and");
    return (await value(node.left, scope)) && value(node.right, scope);
  },
  IdentifierExpression: ({ identifier: { literal } }, scope) => {
    assert.ok(named(literal) in scope, `${literal} is not known here`);
    return scope[named(literal)];
  },
  FieldSelector: (node, scope) => field(scope._, named(node.content.literal)),
  EachExpression: (node, scope) => Object.assign((row) => value(node.paired, within(scope, { _: row })), { folded: () => folded(node.paired, scope) }),
  FunctionExpression: (node, scope) => {
    const names = items(node.parameters.content).map((parameter) => parameter.name.literal);
    return (...given) => value(node.expression, within(scope, Object.fromEntries(names.map((name, index) => [name, given[index]]))));
  },
  RecursivePrimaryExpression: async (node, scope) => {
    let found = await value(node.head, scope);
    for (const step of node.recursiveExpressions.elements) {
      if (step.kind === "InvokeExpression") found = await found(...(await listed(items(step.content), scope)));
      else if (step.kind === "ItemAccessExpression") found = await item(found, await value(step.content, scope));
      else found = await field(found, named(step.content.literal));
    }
    return found;
  },
};

async function compared(node, scope) {
  const [, holds] = COMPARED[node.operatorConstant.constantKind];
  return holds(await value(node.left, scope), await value(node.right, scope));
}

/** A field of a row or a record; a whole column that a row works out is asked of it. */
async function field(record, name) {
  assert.ok(name in record, `no field ${name}`);
  const found = record[name];
  return typeof found === "function" ? found() : found;
}

/** The one row of a table that has these values. */
async function item(table, wanted) {
  const found = (await table.rows()).filter((row) => Object.entries(wanted).every(([name, text]) => row[name] === text));
  assert.equal(found.length, 1, `rows with ${JSON.stringify(wanted)}`);
  return found[0];
}

/** A condition on rows as the text of `$filter`. */
async function folded(node, scope) {
  if (node.kind === "LogicalExpression") {
    assert.equal(node.operatorConstant.constantKind, "and");
    return `${await folded(node.left, scope)} and ${await folded(node.right, scope)}`;
  }
  const [operator] = COMPARED[node.operatorConstant.constantKind];
  assert.equal(node.left.kind, "FieldSelector");
  const bare = await value(node.right, scope);
  return `${named(node.left.content.literal)} ${operator} ${DATE.test(bare) ? bare : `'${bare}'`}`;
}

async function get(address) {
  const answer = await fetch(address, { headers: HEADERS });
  const text = await answer.text();
  assert.equal(answer.status, 200, `${address}: ${text}`);
  assert.equal(answer.headers.get("OData-Version"), "4.0", address);
  return JSON.parse(text);
}

const encoded = (query) => Object.entries(query).map(([name, text]) => `${name}=${encodeURIComponent(text)}`);

/** A set of a service. Steps on one that was opened by navigation fold into its address. */
function feed(address, query, folds) {
  const whole = () => [address, encoded(query).join("&")].filter(Boolean).join("?");
  const table = { folds: folds && ((option) => feed(address, { ...query, ...option }, folds)) };
  table.rows = async () => {
    const rows = [];
    for (let next = whole(); next; ) {
      const page = await get(next);
      rows.push(...page.value);
      next = page["@odata.nextLink"];
    }
    // Empty values are left out of the answer.
    return rows.map((row) => new Proxy(row, { has: () => true, get: (all, name) => all[name] ?? null }));
  };
  return table;
}

/** Opens an address: a service gives a table of its sets, a set its rows. */
async function opened(address, headers, { Query: query = {}, ...options }) {
  assert.deepEqual([headers, options], [null, OPTIONS]);
  const bare = [address, encoded(query).join("&")].filter(Boolean).join("?");
  const { "@odata.context": context, value: sets } = await get(bare);
  const metadata = await fetch(context.replace(/#.*/, ""), { headers: HEADERS });
  assert.match(metadata.headers.get("Content-Type"), /^application\/xml/);
  assert.match(await metadata.text(), /<edmx:Edmx [^>]*Version="4.0"/);
  if (context.includes("#")) return feed(address, query, false);
  const row = ({ name, url }) => ({ Name: name, Signature: "table", Data: feed(new URL(url, context).href, {}, true) });
  return { rows: () => sets.map(row) };
}

const mapped = (table, change) => ({ rows: async () => Promise.all((await table.rows()).map(change)) });
const picked = (names) => (row) => Object.fromEntries(names.map((name) => [name, row[name]]));
/** Rows with some columns changed. */
const changed = (table, changes) => mapped(table, (row) => ({ ...row, ...Object.fromEntries(Object.entries(changes).map(([name, change]) => [name, change(row[name], name)])) }));

const LIBRARY = {
  "OData.Feed": opened,
  "ODataOmitValues.Nulls": "nulls",
  "Uri.Type": { type: "uri" },
  "Int64.Type": { type: "Int64.Type" },
  "Text.EndsWith": (text, end) => text.endsWith(end),
  "Date.From": (text) => text.slice(0, 10),
  "#datetime": (...parts) => `${parts.slice(0, 3).map((part) => String(part).padStart(2, "0")).join("-")}T00:00:00`,
  "DateTimeZone.RemoveZone": (text) => text && text.slice(0, 19),
  "Table.SelectColumns": (table, names) => mapped(table.folds ? table.folds({ $select: names.join(",") }) : table, picked(names)),
  "Table.SelectRows": async (table, test) => {
    if (table.folds) return table.folds({ $filter: await test.folded() });
    return { rows: async () => (await Promise.all((await table.rows()).map(async (row) => [await test(row), row]))).filter(([holds]) => holds).map(([, row]) => row) };
  },
  "Table.TransformColumns": (table, changes) => changed(table, Object.fromEntries(changes)),
  "Table.TransformColumnTypes": (table, types) => {
    const checks = types.map(([name, { type }]) => [name, (found) => (assert.ok(found === null || TYPES[type](found), `${name}: ${found} is no ${type}`), found)]);
    return changed(table, Object.fromEntries(checks));
  },
  "Table.Buffer": (table) => table,
  "Table.Distinct": (table, [name]) => ({ rows: async () => [...new Map((await table.rows()).map((row) => [row[name], row]).reverse()).values()] }),
  "Table.RenameColumns": (table, names) => mapped(table, (row) => Object.fromEntries(Object.entries(row).map(([name, found]) => [new Map(names).get(name) ?? name, found]))),
  "Table.RemoveColumns": (table, names) => mapped(table, (row) => Object.fromEntries(Object.entries(row).filter(([name]) => !names.includes(name)))),
  "Table.AddColumn": (table, name, make) => mapped(table, (row) => ({ ...row, [name]: () => make(row) })),
  "Type.AddTableKey": (type) => type,
  "Value.Type": () => ({ type: "table" }),
  "Value.ReplaceType": (found) => found,
};
