/* Reads lines `<command> <key> <text>`, key and text in base64, and answers each with a line:
     verify   `<verdict> <canonical text of the payload in base64, or - where it is not verified>`
     sign     `<whole message in base64, or ->`
     key      `<bytes of a device's key in base64, or ->`; its key is not used
   Every text is in a block of exactly its size, so that the sanitizers see each byte read beyond it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iot_json.h"
#include "iot_message.h"

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

int main(void) {
  static char command[16], key_field[SIZE], text_field[SIZE];
  setvbuf(stdout, NULL, _IOLBF, 0);
  while (scanf("%15s %199999s %199999s", command, key_field, text_field) == 3) {
    const text key = decode(key_field), given = decode(text_field);
    if (strcmp(command, "sign") == 0) {
      const size_t length = iot_sign(given.data, given.length, (uint8_t *)key.data, key.length, written, SIZE);
      answer(written, length);
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
