#include "iot_message.h"

#include <string.h>

#include "iot_json.h"
#include "iot_payload.h"

/* Levels of arrays and objects that a member of the message may have. */
#define MAXIMUM_LEVELS 32
#define HMAC_CHARACTERS IOT_BASE64_LENGTH(IOT_DIGEST_BYTES)
/* The last moment that 64-bit nanoseconds hold, which is what InfluxDB stores. */
#define LAST_SECOND 9223372036
#define LAST_NANOSECOND 854775806

static const char BEGIN[] = "{\"hmac\":\"", MIDDLE[] = "\",\"payload\":";

typedef struct {
  char *at;
  size_t room;
  bool fits;
} buffer;

static void to_buffer(void *context, const char *text, size_t length) {
  buffer *to = context;
  to->fits = to->fits && length <= to->room;
  if (!to->fits) return;
  memcpy(to->at, text, length);
  to->at += length;
  to->room -= length;
}

static void to_hmac(void *context, const char *text, size_t length) { iot_hmac_update(context, text, length); }

static void to_nowhere(void *context, const char *text, size_t length) {
  (void)context;
  (void)text;
  (void)length;
}

/* Standard base64 of the HMAC of a text. */
static void hmac_text(const char *text, size_t length, const uint8_t *key, size_t key_length,
                      char hmac[HMAC_CHARACTERS]) {
  uint8_t digest[IOT_DIGEST_BYTES];
  iot_hmac state;
  iot_hmac_start(&state, key, key_length);
  iot_hmac_update(&state, text, length);
  iot_hmac_finish(&state, digest);
  iot_base64_encode(digest, sizeof digest, hmac);
}

size_t iot_key(const char *text, uint8_t *key, size_t size) {
  const size_t length = iot_base64_decode(text, strlen(text), key, size);
  return length < IOT_FEWEST_KEY_BYTES ? 0 : length;
}

size_t iot_sign(const char *payload, size_t length, const uint8_t *key, size_t key_length, char *message, size_t size) {
  const size_t before = sizeof BEGIN - 1 + HMAC_CHARACTERS + sizeof MIDDLE - 1;
  iot_reader reader = {payload, payload + length};
  buffer to;
  iot_status status;
  const char *object, *object_end;
  char *signed_text, *end;
  if (key_length == 0 || size < IOT_ENVELOPE_LENGTH || iot_peek(&reader) != '{') return 0;
  object = reader.at;
  signed_text = message + before;
  to.at = signed_text;
  to.room = size - before;
  to.fits = true;
  status = iot_canonical(&reader, MAXIMUM_LEVELS, to_buffer, &to);
  object_end = reader.at;
  if (status == IOT_MALFORMED || iot_peek(&reader) != 0 || reader.at != reader.end) return 0;
  if (status == IOT_UNABLE) {
    to.at = signed_text;
    to.room = size - before;
    to.fits = true;
    /* Without white space around it: who verifies takes the object alone. */
    to_buffer(&to, object, (size_t)(object_end - object));
  }
  end = to.at;
  to_buffer(&to, "}", 2);
  if (!to.fits) return 0;
  memcpy(message, BEGIN, sizeof BEGIN - 1);
  hmac_text(signed_text, (size_t)(end - signed_text), key, key_length, message + sizeof BEGIN - 1);
  memcpy(signed_text - (sizeof MIDDLE - 1), MIDDLE, sizeof MIDDLE - 1);
  return (size_t)(end + 1 - message);
}

/* The 44 characters of the member hmac, the one written form of 32 bytes; false where it is something else. */
static bool read_hmac(iot_reader reader, char hmac[HMAC_CHARACTERS]) {
  uint8_t digest[IOT_DIGEST_BYTES + 1];
  char again[HMAC_CHARACTERS];
  if (iot_peek(&reader) != '"') return false;
  reader.at++;
  for (size_t at = 0; at < HMAC_CHARACTERS; at++) {
    const int32_t code = iot_character(&reader);
    if (code < 0 || code > 0x7f) return false;
    hmac[at] = (char)code;
  }
  if (iot_character(&reader) != IOT_END_OF_STRING) return false;
  if (iot_base64_decode(hmac, HMAC_CHARACTERS, digest, sizeof digest) != IOT_DIGEST_BYTES) return false;
  iot_base64_encode(digest, IOT_DIGEST_BYTES, again);
  return memcmp(again, hmac, HMAC_CHARACTERS) == 0;
}

/* Takes the same time wherever they differ. */
static bool same(const char expected[HMAC_CHARACTERS], const char given[HMAC_CHARACTERS]) {
  unsigned difference = 0;
  for (size_t at = 0; at < HMAC_CHARACTERS; at++) difference |= (uint8_t)expected[at] ^ (uint8_t)given[at];
  return difference == 0;
}

static bool fits_canonical(iot_reader payload, const uint8_t *key, size_t key_length,
                           const char hmac[HMAC_CHARACTERS]) {
  uint8_t digest[IOT_DIGEST_BYTES];
  char expected[HMAC_CHARACTERS];
  iot_hmac state;
  iot_hmac_start(&state, key, key_length);
  if (iot_canonical(&payload, MAXIMUM_LEVELS, to_hmac, &state) != IOT_OK) return false;
  iot_hmac_finish(&state, digest);
  iot_base64_encode(digest, sizeof digest, expected);
  return same(expected, hmac);
}

/* The whole message has been read, so everything in it is well-formed and no member is there twice. */
static bool find_members(iot_reader message, char hmac[HMAC_CHARACTERS], iot_reader *payload) {
  bool has_hmac = false, first = true;
  iot_reader name;
  payload->at = NULL;
  iot_enter_object(&message);
  for (; iot_next_member(&message, first, &name); first = false) {
    const iot_reader value = message;
    iot_skip(&message, MAXIMUM_LEVELS);
    if (iot_is_text(name, "hmac")) has_hmac = read_hmac(value, hmac);
    if (iot_is_text(name, "payload") && *value.at == '{') {
      payload->at = value.at;
      payload->end = message.at;
    }
  }
  return has_hmac && payload->at != NULL;
}

static bool read_time(iot_verified *verified) {
  int64_t nanoseconds;
  if (!iot_get_integer(verified->payload, verified->length, "ts", &verified->seconds) ||
      !iot_get_integer(verified->payload, verified->length, "ts_ns", &nanoseconds))
    return false;
  if (verified->seconds < 0 || verified->seconds > LAST_SECOND || nanoseconds < 0 || nanoseconds > 999999999)
    return false;
  if (verified->seconds == LAST_SECOND && nanoseconds > LAST_NANOSECOND) return false;
  verified->nanoseconds = (int32_t)nanoseconds;
  return true;
}

iot_verdict iot_verify(const char *message, size_t length, const uint8_t *key, size_t key_length,
                       iot_verified *verified) {
  const iot_reader start = {message, message + length};
  iot_reader reader = start, payload;
  char hmac[HMAC_CHARACTERS], expected[HMAC_CHARACTERS];
  iot_verdict verdict = IOT_VERIFIED;
  /* Everybody can sign with an empty key. */
  if (key_length == 0) return IOT_BAD_SIGNATURE;
  if (length > IOT_MAXIMUM_MESSAGE || iot_peek(&reader) != '{') return IOT_MALFORMED_MESSAGE;
  /* The message itself is one level more than its members. */
  if (iot_canonical(&reader, MAXIMUM_LEVELS + 1, to_nowhere, NULL) == IOT_MALFORMED) return IOT_MALFORMED_MESSAGE;
  if (iot_peek(&reader) != 0 || reader.at != reader.end) return IOT_MALFORMED_MESSAGE;
  if (!find_members(start, hmac, &payload)) return IOT_MALFORMED_MESSAGE;

  verified->payload = payload.at;
  verified->length = (size_t)(payload.end - payload.at);
  if (!fits_canonical(payload, key, key_length, hmac)) {
    hmac_text(verified->payload, verified->length, key, key_length, expected);
    if (!same(expected, hmac)) return IOT_BAD_SIGNATURE;
    verdict = IOT_VERIFIED_AS_SENT;
  }
  return read_time(verified) ? verdict : IOT_BAD_TIMESTAMP;
}
