export type Outcome = 'progress' | 'success' | 'warning' | 'failure';

const ICONS: Record<Outcome, string> = {
  progress: 'fa fa-spinner fa-spin',
  success: 'fa fa-check-circle',
  warning: 'fa fa-exclamation-circle',
  failure: 'fa fa-exclamation-triangle',
};

/**
 * Says in the dialog how something went. Icon and wording tell success from failure, not colour alone; the element is a
 * live region, so that a screen reader says it too.
 *
 * @param details - shown as a list
 */
export function showResult(element: JQuery, outcome: Outcome, text: string, details: readonly string[] = []): void {
  element.attr('data-outcome', outcome).empty();
  $('<i aria-hidden="true">').addClass(ICONS[outcome]).appendTo(element);
  element.append(document.createTextNode(` ${text}`));
  if (details.length === 0) return;
  const list = $('<ul>').appendTo(element);
  for (const detail of details) $('<li>').text(detail).appendTo(list);
}

/** Takes the last result away. */
export function clearResult(element: JQuery): void {
  element.removeAttr('data-outcome').empty();
}
