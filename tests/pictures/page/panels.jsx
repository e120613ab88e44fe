// From a panel's type to Grafana's own component for it. The panels themselves are part of Grafana, not of its libraries, so how
// options reach a component is written here.

import { FieldColorModeId, VizOrientation, getDisplayValueAlignmentFactors, getFieldDisplayValues } from '@grafana/data';
import { BarGauge, BigValue, TimeSeries, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

export const TIME_ZONE = 'Europe/Copenhagen';

/** How a panel of this type is coloured where its JSON does not say. */
export const DEFAULT_COLOUR = {
  stat: FieldColorModeId.Thresholds,
  bargauge: FieldColorModeId.Thresholds,
  table: FieldColorModeId.Thresholds,
  timeseries: FieldColorModeId.PaletteClassic,
};

const orientation = (word) => (word === 'auto' ? VizOrientation.Auto : word);

function values({ panel, frames, theme }) {
  return getFieldDisplayValues({
    fieldConfig: panel.fieldConfig,
    reduceOptions: panel.options.reduceOptions,
    replaceVariables: (text) => text,
    theme,
    data: frames,
    timeZone: TIME_ZONE,
    sparkline: panel.options.graphMode !== 'none',
  });
}

function Stat(props) {
  const { panel: { options }, width, height, theme } = props;
  return (
    <VizRepeater
      getValues={() => values(props)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      source={props.frames}
      renderCounter={0}
      autoGrid
      orientation={orientation(options.orientation)}
      width={width}
      height={height}
      renderValue={({ value, count, alignmentFactors, ...size }) => (
        <BigValue
          {...size}
          value={value.display}
          sparkline={options.graphMode === 'none' ? undefined : value.sparkline}
          count={count}
          alignmentFactors={alignmentFactors}
          colorMode={options.colorMode}
          graphMode={options.graphMode}
          justifyMode={options.justifyMode}
          textMode={options.textMode}
          text={options.text}
          theme={theme}
        />
      )}
    />
  );
}

function Bars(props) {
  const { panel: { options }, width, height, theme } = props;
  return (
    <VizRepeater
      getValues={() => values(props)}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      source={props.frames}
      renderCounter={0}
      orientation={orientation(options.orientation)}
      minVizHeight={options.minVizHeight}
      maxVizHeight={options.maxVizHeight}
      itemSpacing={8}
      width={width}
      height={height}
      renderValue={({ value, alignmentFactors, count, ...size }) => (
        <BarGauge
          {...size}
          value={value.display}
          field={value.field}
          display={value.view?.getFieldDisplayProcessor(value.colIndex)}
          alignmentFactors={alignmentFactors}
          displayMode={options.displayMode}
          showUnfilled={options.showUnfilled}
          valueDisplayMode={options.valueMode}
          namePlacement={options.namePlacement}
          text={options.text}
          itemSpacing={8}
          lcdCellWidth={12}
          theme={theme}
        />
      )}
    />
  );
}

function Lines({ panel: { options }, frames, range, width, height }) {
  return (
    <TimeSeries frames={frames} timeRange={range} timeZone={TIME_ZONE} legend={options.legend} width={width} height={height} options={options} />
  );
}

function Table({ panel: { options, fieldConfig }, frames, width, height }) {
  return (
    <TableNG
      data={frames[0]}
      width={width}
      height={height}
      noHeader={!options.showHeader}
      cellHeight={options.cellHeight}
      sortBy={options.sortBy}
      fieldConfig={fieldConfig}
      enableVirtualization={false}
    />
  );
}

export const PANELS = { stat: Stat, bargauge: Bars, timeseries: Lines, table: Table };
