/**
 * Lines up the rows of our dialogs, whatever the length of a translated label. Colours are those of the editor's theme,
 * so that light and dark both work.
 */
const RULES = `
.mqtt2influx-row { display: flex; align-items: center; gap: 8px; }
.mqtt2influx-row > label:first-child { flex: 0 0 135px; margin: 0; }
.mqtt2influx-row > input, .mqtt2influx-row > select, .mqtt2influx-row > div { flex: 1 1 0; min-width: 0; width: auto !important; }
.mqtt2influx-row > .red-ui-button { flex: none; }
.mqtt2influx-unit { flex: 0 0 auto; color: var(--red-ui-secondary-text-color); }
.mqtt2influx-key > label:first-child { flex: 0 0 auto; }
.mqtt2influx-key > input[readonly] { color: var(--red-ui-form-text-color); font-family: var(--red-ui-monospace-font); font-size: 12px; }
.mqtt2influx-toolbar > span:first-child { flex: 1 1 auto; }
.mqtt2influx-document { height: 260px; min-height: 150px; }
.mqtt2influx-result:empty { display: none; }
.mqtt2influx-result { padding: 6px 10px; border: 1px solid var(--red-ui-secondary-border-color); border-left-width: 4px; border-radius: 2px; overflow-wrap: anywhere; max-height: 180px; overflow-y: auto; }
.mqtt2influx-result[data-outcome="success"] { border-left-color: var(--red-ui-border-color-success); }
.mqtt2influx-result[data-outcome="warning"] { border-left-color: var(--red-ui-border-color-warning); }
.mqtt2influx-result[data-outcome="failure"] { border-left-color: var(--red-ui-border-color-error); }
.mqtt2influx-list { margin: 0 0 6px; list-style: none; overflow-wrap: anywhere; max-height: 240px; overflow-y: auto; }
.mqtt2influx-list > li { margin-bottom: 6px; }
.mqtt2influx-detail { color: var(--red-ui-secondary-text-color); }
.mqtt2influx-result ul { margin: 4px 0 0 18px; }
`;

const ID = 'mqtt2influx-style';

/** Adds our rules to the page, once for all dialogs. */
export function addStyle(): void {
  if (document.getElementById(ID)) return;
  const style = document.createElement('style');
  style.id = ID;
  style.textContent = RULES;
  document.head.append(style);
}
