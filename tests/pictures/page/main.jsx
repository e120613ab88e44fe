// Shows one dashboard from its own JSON. The address takes what Grafana's takes: `?dashboard=overview&from=now-5y&var-kommune=751`,
// and `scrape=5s` for a Prometheus that scrapes more often than the shipped one.

import '@fontsource/inter/latin-400.css';
import '@fontsource/inter/latin-500.css';
import '@grafana/react-data-grid/lib/styles.css';
import {
  LoadingState,
  ThemeContext,
  applyFieldOverrides,
  cacheFieldDisplayNames,
  createTheme,
  rangeUtil,
  setTimeZoneResolver,
  standardFieldConfigEditorRegistry,
  standardTransformers,
  standardTransformersRegistry,
  transformDataFrame,
} from '@grafana/data';
import { GlobalStyles, PanelChrome } from '@grafana/ui';
import { useLayoutEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { lastValueFrom } from 'rxjs';

import { DEFAULT_COLOUR, PANELS, TIME_ZONE } from './panels.jsx';
import { intervals, query } from './prometheus.js';
import { choose, inQuery, inTitle, readable } from './variables.js';

const MARGIN = 8;
const CELL_HEIGHT = 30;
const PADDING = 16;
const boards = import.meta.glob('../../../grafana/dashboards/*.json', { eager: true, import: 'default' });
const theme = createTheme({ colors: { mode: 'dark' } });
const address = new URLSearchParams(window.location.search);

function prepareGrafana() {
  window.__grafana_public_path__ = '/';
  setTimeZoneResolver(() => TIME_ZONE);
  const property = (id, custom) => ({ id: custom ? `custom.${id}` : id, path: id, isCustom: custom, name: id, process: (value) => value, shouldApply: () => true });
  const own = ['unit', 'decimals', 'min', 'max', 'displayName', 'noValue', 'color', 'thresholds', 'mappings'];
  const custom = Object.values(boards).flatMap((board) => board.panels.flatMap(customProperties));
  const all = [...own.map((id) => property(id, false)), ...[...new Set(custom)].map((id) => property(id, true))];
  standardFieldConfigEditorRegistry.setInit(() => all);
  const transformers = ['joinByFieldTransformer', 'filterFieldsByNameTransformer', 'organizeFieldsTransformer', 'sortByTransformer'];
  standardTransformersRegistry.setInit(() =>
    transformers.map((name) => standardTransformers[name]).map((it) => ({ id: it.id, name: it.name, transformation: async () => it })),
  );
}

function customProperties({ fieldConfig }) {
  const overridden = fieldConfig?.overrides.flatMap((rule) => rule.properties.map(({ id }) => id)) ?? [];
  const custom = overridden.filter((id) => id.startsWith('custom.')).map((id) => id.slice('custom.'.length));
  return [...Object.keys(fieldConfig?.defaults.custom ?? {}), ...custom];
}

const columns = (width) => (width - 2 * PADDING + MARGIN) / 24;

function place({ x, y, w, h }, width) {
  const column = columns(width);
  return {
    left: PADDING + x * column,
    top: y * (CELL_HEIGHT + MARGIN),
    width: w * column - MARGIN,
    height: h * (CELL_HEIGHT + MARGIN) - MARGIN,
  };
}

/** A panel's own time, where its JSON gives it one. */
function timeOf({ timeFrom }, range) {
  return timeFrom ? rangeUtil.convertRawToRange({ from: `now-${timeFrom}`, to: 'now' }, TIME_ZONE) : range;
}

async function load(panel, { chosen, width, ...dashboard }) {
  const range = timeOf(panel, dashboard.range);
  const { step, words } = intervals(range, place(panel.gridPos, width).width, address.get('scrape') ?? '60s');
  const many = panel.targets.length > 1;
  const asked = panel.targets.map((target) => query(target, inQuery(target.expr, chosen, words), range, step, many));
  const data = await lastValueFrom(transformDataFrame(panel.transformations ?? [], (await Promise.all(asked)).flat()));
  const { defaults, overrides } = panel.fieldConfig;
  const fieldConfig = { overrides, defaults: { color: { mode: DEFAULT_COLOUR[panel.type] }, ...defaults } };
  const frames = applyFieldOverrides({ data, fieldConfig, theme, timeZone: TIME_ZONE, replaceVariables: (text) => inTitle(text, chosen) });
  cacheFieldDisplayNames(frames);
  return frames;
}

/** What stands where there is nothing to see. */
function Nothing({ panel, height }) {
  const style = { height, display: 'flex', alignItems: 'center', justifyContent: 'center', color: theme.colors.text.secondary };
  return (
    <div style={style} data-empty={`${panel.id} ${panel.title}`}>
      {panel.fieldConfig.defaults.noValue ?? 'No data'}
    </div>
  );
}

function Panel({ panel, frames, width, chosen, range }) {
  const at = place(panel.gridPos, width);
  const title = inTitle(panel.title, chosen);
  if (panel.type === 'row') {
    return <h2 style={{ ...at, position: 'absolute', margin: 0, fontSize: 16, lineHeight: `${at.height}px`, fontWeight: 500 }}>⌄ {title}</h2>;
  }
  const Shown = PANELS[panel.type];
  return (
    <div style={{ ...at, position: 'absolute' }}>
      <PanelChrome title={title} description={panel.description} width={at.width} height={at.height} loadingState={LoadingState.Done}>
        {(inner, tall) =>
          frames.some((frame) => frame.length) ? (
            <Shown panel={panel} frames={frames} range={range} theme={theme} width={inner} height={tall} />
          ) : (
            <Nothing panel={panel} height={tall} />
          )
        }
      </PanelChrome>
    </div>
  );
}

function Choices({ dashboard, chosen, range }) {
  const shown = Object.values(chosen).filter(({ variable }) => variable.type !== 'datasource');
  const pill = { border: `1px solid ${theme.colors.border.medium}`, borderRadius: 2, padding: '4px 8px', marginRight: 8 };
  return (
    <header style={{ padding: PADDING, height: 96 }}>
      <h1 style={{ fontSize: 22, fontWeight: 500, margin: '0 0 12px' }}>{dashboard.title}</h1>
      {shown.map(({ variable, options }) => (
        <span key={variable.name} style={pill}>
          <span style={{ color: theme.colors.text.secondary }}>{variable.label}</span> {readable({ options })}
        </span>
      ))}
      <span style={{ ...pill, float: 'right', marginTop: -4 }}>{rangeUtil.describeTimeRange(range.raw)}</span>
    </header>
  );
}

function Dashboard(props) {
  const { dashboard, loaded, width } = props;
  const rows = Math.max(...dashboard.panels.map(({ gridPos: { y, h } }) => y + h));
  const [drawn, setDrawn] = useState(false);
  useLayoutEffect(() => setDrawn(true), []);
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <main data-state={drawn ? 'ready' : 'drawing'}>
        <Choices {...props} />
        <div style={{ position: 'relative', height: rows * (CELL_HEIGHT + MARGIN) + MARGIN }}>
          {dashboard.panels.map((panel, number) => (
            <Panel key={panel.id} {...props} panel={panel} frames={loaded[number]} width={width} />
          ))}
        </div>
      </main>
    </ThemeContext.Provider>
  );
}

async function show() {
  prepareGrafana();
  await Promise.all(['400', '500'].map((weight) => document.fonts.load(`${weight} 14px Inter`)));
  const dashboard = boards[`../../../grafana/dashboards/${address.get('dashboard')}.json`];
  const raw = { from: address.get('from') ?? dashboard.time.from, to: address.get('to') ?? dashboard.time.to };
  const range = rangeUtil.convertRawToRange(raw, TIME_ZONE);
  const width = document.documentElement.clientWidth;
  const chosen = await choose(dashboard, address, range);
  const context = { chosen, range, width };
  const loaded = await Promise.all(dashboard.panels.map((panel) => (panel.type === 'row' ? [] : load(panel, context))));
  createRoot(document.getElementById('dashboard')).render(<Dashboard dashboard={dashboard} loaded={loaded} {...context} />);
}

show().catch((error) => {
  document.body.dataset.failed = error.stack;
});
