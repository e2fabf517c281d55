/* An action that was interrupted, on hardware that answers what the first argument says: `yes`, `no` or `unknown`. Another
   action comes, then the interrupted one again, when the hardware says no. Prints what is to be done about each. */
#include <stdio.h>
#include <string.h>

#include "iot_actions.h"

#define NOW 1700000000

static iot_outcome outcome;
static int stored;

static bool keep(void *context, size_t slot, const iot_action_record *record) {
  (void)context;
  (void)slot;
  (void)record;
  stored++;
  return true;
}

static bool keep_newest(void *context, const iot_signed_time *newest) {
  (void)context;
  (void)newest;
  return true;
}

static iot_outcome ask(void *context, const uint8_t hash[IOT_ACTION_HASH_BYTES]) {
  (void)context;
  (void)hash;
  return outcome;
}

static iot_decision receive(iot_performed *performed, const char *id, iot_action *action) {
  static const uint8_t key[] = "a key of the test";
  char payload[128], message[256];
  snprintf(payload, sizeof payload, "{\"id\":\"%s\",\"expires\":%ld,\"ts\":%ld,\"ts_ns\":0}", id, NOW + 60L, (long)NOW);
  const size_t length = iot_sign(payload, strlen(payload), key, sizeof key, message, sizeof message);
  return iot_action_receive(performed, message, length, key, sizeof key, NOW, action);
}

int main(int count, char **arguments) {
  iot_action_record records[4];
  iot_performed performed = {records, 4, keep, ask, NULL, keep_newest, {0, 0}};
  iot_action action;
  if (count != 2) return 1;
  memset(records, 0, sizeof records);
  outcome = strcmp(arguments[1], "yes") == 0  ? IOT_WAS_PERFORMED
            : strcmp(arguments[1], "no") == 0 ? IOT_WAS_NOT_PERFORMED
                                              : IOT_NOBODY_KNOWS;
  receive(&performed, "a", &action);
  const iot_decision other = receive(&performed, "b", &action);
  if (!iot_action_done(&performed, &action)) return 1;
  outcome = IOT_WAS_NOT_PERFORMED;
  const iot_decision again = receive(&performed, "a", &action);
  printf("%d %d %d\n", other == IOT_PERFORM, again, stored);
  return 0;
}
