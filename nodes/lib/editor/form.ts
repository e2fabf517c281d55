import { addStyle } from './style';

/** Attribute of the form of the open config dialog: the node that it is for. */
const OWNER = 'data-mqtt2influx-node';

const FORM = '#node-config-dialog-edit-form';

/** Prepares what all our config dialogs need. Call it first in `oneditprepare`. */
export function openConfigForm(node: { readonly id: string }): void {
  addStyle();
  $(FORM).attr(OWNER, node.id);
}

/**
 * What a field of the config dialog holds. Validators also run while no dialog is open, or that of another node: then
 * the node's own value counts.
 */
export function currentValue(
  node: { readonly id: string },
  option: string,
  saved: string | number | undefined,
): string {
  return $(FORM).attr(OWNER) === node.id ? fieldValue(option) : String(saved ?? '');
}

/** What a field of the open config dialog holds. */
export function fieldValue(option: string): string {
  const value = $(`#node-config-input-${option}`).val();
  return typeof value === 'string' ? value : '';
}

/** The id of the chosen config node; empty when none is chosen. */
export function chosenNode(option: string): string {
  const value = fieldValue(option);
  return value === '_ADD_' ? '' : value;
}
