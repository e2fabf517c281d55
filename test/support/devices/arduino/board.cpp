// Runs the sketch as a board does. -DSKETCH="…" names it.
#include "Arduino.h"
#include SKETCH

int main() {
  setup();
  for (;;) loop();
}
