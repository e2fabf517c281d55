/**
 * Node-RED makes the edit and add buttons beside the choice of a config node of links without a target, which the
 * keyboard does not reach. This gives them a place in the tab order, a name, and the keys of a button.
 *
 * @param prefix - `node-input` or `node-config-input`
 */
export function makeConfigButtonsReachable(prefix: string, option: string, type: string): void {
  const names = {
    edit: RED._('editor.editConfig', { type }),
    add: RED._('editor.addNewConfig', { type }),
  };
  for (const [action, name] of Object.entries(names)) {
    $(`#${prefix}-btn-${option}-${action}`)
      .attr({ role: 'button', tabindex: 0, 'aria-label': name })
      .on('keydown', function (event) {
        // With a modifier it is a shortcut of the editor: Ctrl+Enter saves the dialog.
        const modified = event.ctrlKey || event.metaKey || event.altKey || event.shiftKey;
        if (modified || (event.key !== 'Enter' && event.key !== ' ')) return;
        event.preventDefault();
        $(this).trigger('click');
      });
  }
}
