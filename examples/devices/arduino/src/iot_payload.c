#include "iot_payload.h"

#include <stdlib.h>
#include <string.h>

#include "iot_json.h"

#define MAXIMUM_LEVELS 32
#define MAXIMUM_DECIMALS 9

/* ---- writing ---- */

static void add(iot_payload *payload, const char *text, size_t length) {
  payload->fits = payload->fits && length <= payload->size - payload->length;
  if (!payload->fits) return;
  memcpy(payload->text + payload->length, text, length);
  payload->length += length;
}

static void add_name(iot_payload *payload, const char *name) {
  add(payload, payload->length > 1 ? ",\"" : "\"", payload->length > 1 ? 2 : 1);
  add(payload, name, strlen(name));
  add(payload, "\":", 2);
}

static void add_digits(iot_payload *payload, uint64_t value, unsigned at_least) {
  char digits[20];
  unsigned count = 0;
  while (value > 0 || count < at_least) {
    digits[sizeof digits - ++count] = (char)('0' + value % 10);
    value /= 10;
  }
  add(payload, digits + sizeof digits - count, count);
}

void iot_payload_begin(iot_payload *payload, char *text, size_t size) {
  payload->text = text;
  payload->size = size;
  payload->length = 0;
  payload->fits = true;
  add(payload, "{", 1);
}

void iot_payload_float(iot_payload *payload, const char *name, double value, unsigned decimals) {
  /* printf of small boards knows no floats. */
  const bool negative = value < 0;
  uint64_t scale = 1, scaled;
  unsigned at;
  if (!(value > -1e9 && value < 1e9) || decimals > MAXIMUM_DECIMALS) {
    payload->fits = false;
    return;
  }
  for (at = 0; at < decimals; at++) scale *= 10;
  scaled = (uint64_t)((negative ? -value : value) * (double)scale + 0.5);
  add_name(payload, name);
  if (negative && scaled > 0) add(payload, "-", 1);
  add_digits(payload, scaled / scale, 1);
  add(payload, ".", 1);
  add_digits(payload, scaled % scale, decimals > 0 ? decimals : 1);
}

void iot_payload_integer(iot_payload *payload, const char *name, int64_t value) {
  add_name(payload, name);
  if (value < 0) add(payload, "-", 1);
  add_digits(payload, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 1);
}

void iot_payload_boolean(iot_payload *payload, const char *name, bool value) {
  add_name(payload, name);
  add(payload, value ? "true" : "false", value ? 4 : 5);
}

void iot_payload_text(iot_payload *payload, const char *name, const char *value) {
  static const char digits[] = "0123456789abcdef";
  add_name(payload, name);
  add(payload, "\"", 1);
  for (; *value != 0; value++) {
    const uint8_t byte = (uint8_t)*value;
    if (byte < 0x20) {
      char escape[6] = {'\\', 'u', '0', '0'};
      escape[4] = digits[byte >> 4];
      escape[5] = digits[byte & 15];
      add(payload, escape, sizeof escape);
    } else {
      if (byte == '"' || byte == '\\') add(payload, "\\", 1);
      add(payload, value, 1);
    }
  }
  add(payload, "\"", 1);
}

bool iot_payload_end(iot_payload *payload, int64_t seconds, int32_t nanoseconds) {
  iot_payload_integer(payload, "ts", seconds);
  iot_payload_integer(payload, "ts_ns", nanoseconds);
  add(payload, "}", 1);
  return payload->fits;
}

/* ---- reading ---- */

/* Puts `value` at a member's value, with its end; false where there is no such member. */
static bool find(const char *payload, size_t length, const char *name, iot_reader *value) {
  iot_reader reader = {payload, payload + length}, at;
  bool first = true;
  if (!iot_enter_object(&reader)) return false;
  for (; iot_next_member(&reader, first, &at); first = false) {
    const iot_reader start = reader;
    if (!iot_skip(&reader, MAXIMUM_LEVELS)) return false;
    if (!iot_is_text(at, name)) continue;
    value->at = start.at;
    value->end = reader.at;
    return true;
  }
  return false;
}

static bool is_number(const iot_reader *value) { return *value->at == '-' || (*value->at >= '0' && *value->at <= '9'); }

bool iot_get_number(const char *payload, size_t length, const char *name, double *number) {
  char literal[IOT_LITERAL_SIZE];
  iot_reader value;
  size_t characters;
  if (!find(payload, length, name, &value) || !is_number(&value)) return false;
  characters = (size_t)(value.end - value.at);
  if (characters >= sizeof literal) return false;
  memcpy(literal, value.at, characters);
  literal[characters] = 0;
  *number = strtod(literal, NULL);
  return true;
}

bool iot_get_integer(const char *payload, size_t length, const char *name, int64_t *integer) {
  iot_reader value;
  uint64_t magnitude = 0;
  bool negative;
  if (!find(payload, length, name, &value) || !is_number(&value)) return false;
  negative = *value.at == '-';
  for (value.at += negative; value.at < value.end; value.at++) {
    const unsigned digit = (unsigned)(*value.at - '0');
    /* A point or an exponent makes it a float. */
    if (digit > 9 || magnitude > ((uint64_t)INT64_MAX - digit) / 10) return false;
    magnitude = 10 * magnitude + digit;
  }
  *integer = negative ? -(int64_t)magnitude : (int64_t)magnitude;
  return true;
}

bool iot_get_boolean(const char *payload, size_t length, const char *name, bool *boolean) {
  iot_reader value;
  if (!find(payload, length, name, &value)) return false;
  *boolean = *value.at == 't';
  return *value.at == 't' || *value.at == 'f';
}

bool iot_get_text(const char *payload, size_t length, const char *name, char *text, size_t size) {
  iot_reader value;
  size_t written = 0;
  if (!find(payload, length, name, &value) || *value.at++ != '"') return false;
  for (;;) {
    const int32_t code = iot_character(&value);
    const unsigned more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    if (code == IOT_END_OF_STRING) break;
    if (code <= 0 || (code >= 0xd800 && code <= 0xdfff) || size - written < more + 2) return false;
    text[written++] = (char)(more == 0 ? code : (0xf0 << (3 - more) & 0xff) | code >> (6 * more));
    for (unsigned at = more; at > 0; at--) text[written++] = (char)(0x80 | (code >> (6 * (at - 1)) & 0x3f));
  }
  if (size == 0) return false;
  text[written] = 0;
  return true;
}
