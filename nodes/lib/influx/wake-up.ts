/** A wait that can be cut short: of one waiter, for a time or until somebody rings. */
export class WakeUp {
  #wake: (() => void) | undefined;

  /** @param milliseconds - absent: until it rings */
  async wait(milliseconds?: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (milliseconds !== undefined) timer = setTimeout(resolve, milliseconds);
    });
    clearTimeout(timer);
    this.#wake = undefined;
  }

  ring(): void {
    this.#wake?.();
  }
}
