/* Reads lines `<command> <key> <text>`, key and text in base64, and answers each with a line:
     verify   `<verdict> <canonical text of the payload in base64, or - where it is not verified>`
     sign     `<whole message in base64, or ->`
     key      `<bytes of a device's key in base64, or ->`; its key is not used
     receive  `<what becomes of the action> <the answer in base64, or ->`; its text is `<seconds since 1970> <message>`
     restart  `-`; the memory of actions is what was stored of it
     forget   `-`; nothing is remembered
   Every text is in a block of exactly its size, so that the sanitizers see each byte read beyond it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iot_actions.h"
#include "iot_json.h"
#include "iot_message.h"
#include "iot_payload.h"

#define SIZE 200000

static const char *const VERDICTS[] = {"verified", "verified as sent", "malformed", "bad signature", "bad timestamp"};

typedef struct {
  char *data;
  size_t length;
} text;

static text decode(const char *field) {
  const size_t length = strlen(field), size = length / 4 * 3;
  char *wide = malloc(size + 1);
  text decoded;
  decoded.length = strcmp(field, "-") == 0 ? 0 : iot_base64_decode(field, length, (uint8_t *)wide, size);
  decoded.data = malloc(decoded.length > 0 ? decoded.length : 1);
  memcpy(decoded.data, wide, decoded.length);
  free(wide);
  return decoded;
}

static size_t read_key(text given, uint8_t key[64]) {
  char *ended = calloc(given.length + 1, 1);
  size_t length;
  memcpy(ended, given.data, given.length);
  length = iot_key(ended, key, 64);
  free(ended);
  return length;
}

static void answer(const char *data, size_t length) {
  char *field;
  if (length == 0) {
    puts("-");
    return;
  }
  field = malloc(IOT_BASE64_LENGTH(length));
  iot_base64_encode((const uint8_t *)data, length, field);
  printf("%.*s\n", (int)IOT_BASE64_LENGTH(length), field);
  free(field);
}

static char written[SIZE];
static size_t written_length;

static void keep(void *context, const char *part, size_t length) {
  (void)context;
  if (written_length + length > SIZE) abort();
  memcpy(written + written_length, part, length);
  written_length += length;
}

#define SLOTS 16

/* What was stored, and what is in memory. */
static iot_action_record flash[SLOTS], records[SLOTS];
static iot_signed_time flash_newest;

static bool store_record(void *context, size_t slot, const iot_action_record *record) {
  (void)context;
  flash[slot] = *record;
  return true;
}

static bool store_newest(void *context, const iot_signed_time *newest) {
  (void)context;
  flash_newest = *newest;
  return true;
}

static iot_outcome was_performed(void *context, const uint8_t hash[IOT_ACTION_HASH_BYTES]) {
  (void)context;
  (void)hash;
  return IOT_NOBODY_KNOWS;
}

static iot_performed performed = {records, SLOTS, store_record, was_performed, NULL, store_newest, {0, 0}};

static void restart(void) {
  memcpy(records, flash, sizeof records);
  performed.newest = flash_newest;
  puts("-");
}

static void forget(void) {
  memset(flash, 0, sizeof flash);
  memset(&flash_newest, 0, sizeof flash_newest);
  restart();
}

static void answer_action(const char *code, const iot_action *action, const char *reason, text key) {
  char payload_text[512];
  iot_payload payload;
  iot_payload_begin(&payload, payload_text, sizeof payload_text);
  iot_payload_text(&payload, "id", action->id);
  if (reason != NULL) {
    iot_payload_boolean(&payload, "ok", false);
    iot_payload_text(&payload, "reason", reason);
  }
  if (!iot_payload_end(&payload, 1, 0)) abort();
  printf("%s ", code);
  answer(written, iot_sign(payload.text, payload.length, (uint8_t *)key.data, key.length, written, SIZE));
}

static void receive(text key, text given) {
  static const char *const CODES[] = {"performed", "again",       "interrupted", "expired", "future",
                                      "full",      "no action",   "not verified", "not stored", "outdated"};
  char *ended = calloc(given.length + 1, 1), *message;
  iot_action action;
  iot_decision decision;
  double percent;
  memcpy(ended, given.data, given.length);
  const int64_t now = strtoll(ended, &message, 10);
  message++;
  decision = iot_action_receive(&performed, message, given.length - (size_t)(message - ended), (uint8_t *)key.data,
                                key.length, now, &action);
  if (decision == IOT_PERFORM && (!iot_get_number(action.payload, action.length, "position", &percent) || percent > 100)) {
    if (!iot_action_not_performed(&performed, &action)) abort();
    answer_action("refused", &action, "no position from 0 to 100", key);
  } else if (decision == IOT_PERFORM || decision == IOT_AGAIN) {
    if (decision == IOT_PERFORM && !iot_action_done(&performed, &action)) abort();
    answer_action(CODES[decision], &action, NULL, key);
  } else if (decision == IOT_OUTDATED) {
    answer_action(CODES[decision], &action, "outdated", key);
  } else {
    printf("%s -\n", CODES[decision]);
  }
  free(ended);
}

int main(void) {
  static char command[16], key_field[SIZE], text_field[SIZE];
  setvbuf(stdout, NULL, _IOLBF, 0);
  while (scanf("%15s %199999s %199999s", command, key_field, text_field) == 3) {
    const text key = decode(key_field), given = decode(text_field);
    if (strcmp(command, "sign") == 0) {
      const size_t length = iot_sign(given.data, given.length, (uint8_t *)key.data, key.length, written, SIZE);
      answer(written, length);
    } else if (strcmp(command, "receive") == 0) {
      receive(key, given);
    } else if (strcmp(command, "restart") == 0) {
      restart();
    } else if (strcmp(command, "forget") == 0) {
      forget();
    } else if (strcmp(command, "key") == 0) {
      uint8_t bytes[64];
      answer((char *)bytes, read_key(given, bytes));
    } else {
      iot_verified verified;
      const iot_verdict verdict = iot_verify(given.data, given.length, (uint8_t *)key.data, key.length, &verified);
      written_length = 0;
      if (verdict <= IOT_VERIFIED_AS_SENT) {
        iot_reader reader = {verified.payload, verified.payload + verified.length};
        if (iot_canonical(&reader, 32, keep, NULL) != IOT_OK) written_length = 0;
      }
      printf("%s ", VERDICTS[verdict]);
      answer(written, written_length);
    }
    free(key.data);
    free(given.data);
  }
  return 0;
}
