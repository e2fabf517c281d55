#include "iot_json.h"

#include <string.h>

/* Python's limit for the digits of an integer. */
#define MAXIMUM_INTEGER_DIGITS 4300

char iot_peek(iot_reader *reader) {
  while (reader->at < reader->end) {
    const char character = *reader->at;
    if (character != ' ' && character != '\t' && character != '\n' && character != '\r') return character;
    reader->at++;
  }
  return 0;
}

static bool take(iot_reader *reader, char character) {
  if (iot_peek(reader) != character) return false;
  reader->at++;
  return true;
}

/* ---- strings ---- */

/* The rest of a character of several bytes; RFC 3629 section 4. */
static int32_t utf8(iot_reader *reader, uint8_t first) {
  unsigned count = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
  uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  int32_t code = first & (0x3f >> count);
  if (first < 0xc2 || first > 0xf4) return IOT_BAD_STRING;
  for (; count > 0; count--) {
    const uint8_t byte = reader->at < reader->end ? (uint8_t)*reader->at++ : 0;
    if (byte < low || byte > high) return IOT_BAD_STRING;
    code = code << 6 | (byte & 0x3f);
    low = 0x80;
    high = 0xbf;
  }
  return code;
}

static int32_t hexadecimal(iot_reader *reader) {
  int32_t code = 0;
  if (reader->end - reader->at < 4) return IOT_BAD_STRING;
  for (unsigned digit = 0; digit < 4; digit++) {
    const char character = *reader->at++;
    const char lower = (char)(character | 0x20);
    if (character >= '0' && character <= '9') {
      code = code << 4 | (character - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      code = code << 4 | (lower - 'a' + 10);
    } else {
      return IOT_BAD_STRING;
    }
  }
  return code;
}

static int32_t escape(iot_reader *reader) {
  static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  const char *letter;
  int32_t code;
  if (reader->at == reader->end) return IOT_BAD_STRING;
  letter = memchr(letters, *reader->at, sizeof letters - 1);
  if (letter != NULL) {
    reader->at++;
    return meanings[letter - letters];
  }
  if (*reader->at++ != 'u') return IOT_BAD_STRING;
  code = hexadecimal(reader);
  if (code >= 0xd800 && code <= 0xdbff && reader->end - reader->at >= 6 && memcmp(reader->at, "\\u", 2) == 0) {
    iot_reader ahead = *reader;
    int32_t second;
    ahead.at += 2;
    second = hexadecimal(&ahead);
    if (second >= 0xdc00 && second <= 0xdfff) {
      *reader = ahead;
      return 0x10000 + ((code & 0x3ff) << 10 | (second & 0x3ff));
    }
  }
  return code;
}

int32_t iot_character(iot_reader *reader) {
  uint8_t byte;
  if (reader->at == reader->end) return IOT_BAD_STRING;
  byte = (uint8_t)*reader->at++;
  if (byte == '"') return IOT_END_OF_STRING;
  if (byte == '\\') return escape(reader);
  if (byte < 0x20) return IOT_BAD_STRING;
  return byte < 0x80 ? byte : utf8(reader, byte);
}

static bool skip_string(iot_reader *reader) {
  int32_t code;
  if (!take(reader, '"')) return false;
  do code = iot_character(reader);
  while (code >= 0);
  return code == IOT_END_OF_STRING;
}

/* Compares two well-formed strings by code point, as Python sorts. */
static int compare(iot_reader left, iot_reader right) {
  left.at++;
  right.at++;
  for (;;) {
    const int32_t first = iot_character(&left), second = iot_character(&right);
    if (first != second) return first < second ? -1 : 1;
    if (first < 0) return 0;
  }
}

bool iot_is_text(iot_reader reader, const char *text) {
  if (!take(&reader, '"')) return false;
  for (; *text != 0; text++) {
    if (iot_character(&reader) != (uint8_t)*text) return false;
  }
  return iot_character(&reader) == IOT_END_OF_STRING;
}

/* ---- numbers and words ---- */

static size_t skip_digits(iot_reader *reader) {
  const char *start = reader->at;
  while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9') reader->at++;
  return (size_t)(reader->at - start);
}

static bool follows(iot_reader *reader, const char *characters) {
  if (reader->at == reader->end || *reader->at == 0 || strchr(characters, *reader->at) == NULL) return false;
  reader->at++;
  return true;
}

static bool skip_number(iot_reader *reader, bool *integer) {
  const char *first;
  size_t digits;
  follows(reader, "-");
  first = reader->at;
  digits = skip_digits(reader);
  if (digits == 0 || (digits > 1 && *first == '0')) return false;
  *integer = true;
  if (follows(reader, ".")) {
    *integer = false;
    if (skip_digits(reader) == 0) return false;
  }
  if (follows(reader, "eE")) {
    *integer = false;
    follows(reader, "+-");
    if (skip_digits(reader) == 0) return false;
  }
  return !*integer || digits <= MAXIMUM_INTEGER_DIGITS;
}

static bool skip_word(iot_reader *reader) {
  static const char *const words[] = {"true", "false", "null"};
  for (unsigned at = 0; at < 3; at++) {
    const size_t length = strlen(words[at]);
    if ((size_t)(reader->end - reader->at) >= length && memcmp(reader->at, words[at], length) == 0) {
      reader->at += length;
      return true;
    }
  }
  return false;
}

/* ---- arrays and objects ---- */

/* Whether another element or member follows; otherwise the closing bracket has been read, or `at` is NULL. */
static bool more(iot_reader *reader, bool first, char closing) {
  if (take(reader, closing)) return false;
  if (first || take(reader, ',')) return true;
  reader->at = NULL;
  return false;
}

bool iot_enter_object(iot_reader *reader) { return take(reader, '{'); }

bool iot_next_member(iot_reader *reader, bool first, iot_reader *name) {
  if (!more(reader, first, '}')) return false;
  iot_peek(reader);
  *name = *reader;
  if (!skip_string(reader) || !take(reader, ':')) {
    reader->at = NULL;
    return false;
  }
  iot_peek(reader);
  return true;
}

bool iot_skip(iot_reader *reader, unsigned levels) {
  const char opening = iot_peek(reader);
  bool integer, first = true;
  iot_reader name;
  if (opening == '"') return skip_string(reader);
  if (opening == '-' || (opening >= '0' && opening <= '9')) return skip_number(reader, &integer);
  if (opening != '{' && opening != '[') return skip_word(reader);
  if (levels == 0) return false;
  reader->at++;
  while (opening == '{' ? iot_next_member(reader, first, &name) : more(reader, first, ']')) {
    first = false;
    if (!iot_skip(reader, levels - 1)) return false;
  }
  return reader->at != NULL;
}

/* ---- canonical text ---- */

static void put(iot_sink sink, void *context, const char *text) { sink(context, text, strlen(text)); }

static void put_escape(iot_sink sink, void *context, int32_t unit) {
  static const char digits[] = "0123456789abcdef";
  char text[6] = {'\\', 'u'};
  for (unsigned at = 0; at < 4; at++) text[2 + at] = digits[unit >> (12 - 4 * at) & 15];
  sink(context, text, sizeof text);
}

static bool canonical_string(iot_reader *reader, iot_sink sink, void *context) {
  static const char special[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
  if (!take(reader, '"')) return false;
  put(sink, context, "\"");
  for (;;) {
    const int32_t code = iot_character(reader);
    const char *found;
    char text[2];
    if (code == IOT_BAD_STRING) return false;
    if (code == IOT_END_OF_STRING) break;
    text[0] = '\\';
    found = code > 0 && code < 0x80 ? memchr(special, (char)code, sizeof special - 1) : NULL;
    if (found != NULL) {
      text[1] = letters[found - special];
      sink(context, text, 2);
    } else if (code >= 0x20 && code < 0x7f) {
      text[1] = (char)code;
      sink(context, text + 1, 1);
    } else if (code < 0x10000) {
      put_escape(sink, context, code);
    } else {
      put_escape(sink, context, 0xd800 | (code - 0x10000) >> 10);
      put_escape(sink, context, 0xdc00 | ((code - 0x10000) & 0x3ff));
    }
  }
  put(sink, context, "\"");
  return true;
}

static iot_status canonical_number(iot_reader *reader, iot_sink sink, void *context) {
  const char *start = reader->at;
  char text[IOT_NUMBER_SIZE];
  size_t length;
  iot_status status;
  bool integer;
  if (!skip_number(reader, &integer)) return IOT_MALFORMED;
  length = (size_t)(reader->at - start);
  if (integer) {
    const bool zero = length == 2 && memcmp(start, "-0", 2) == 0;
    sink(context, zero ? "0" : start, zero ? 1 : length);
    return IOT_OK;
  }
  status = iot_python_float(start, length, text, &length);
  if (status == IOT_OK) sink(context, text, length);
  return status;
}

/* The member whose name comes next in order, behind `previous`. Searching them one after the other needs no memory. */
static iot_status find_next(iot_reader scan, unsigned levels, const iot_reader *previous, iot_reader *name,
                            iot_reader *value) {
  iot_reader candidate;
  bool first = true;
  name->at = NULL;
  for (; iot_next_member(&scan, first, &candidate); first = false) {
    const iot_reader at = scan;
    const int behind = previous->at == NULL ? 1 : compare(candidate, *previous);
    const int before = name->at == NULL ? -1 : compare(candidate, *name);
    if (!iot_skip(&scan, levels)) return IOT_MALFORMED;
    /* A member twice. */
    if (before == 0 || (behind == 0 && candidate.at != previous->at)) return IOT_MALFORMED;
    if (behind <= 0 || before > 0) continue;
    *name = candidate;
    *value = at;
  }
  if (scan.at == NULL) return IOT_MALFORMED;
  /* Behind the last member: this is where the object ends. */
  if (name->at == NULL) *value = scan;
  return IOT_OK;
}

static iot_status canonical_object(iot_reader *reader, unsigned levels, iot_sink sink, void *context) {
  const iot_reader members = *reader;
  iot_reader previous = {NULL, NULL};
  iot_status result = IOT_OK;
  put(sink, context, "{");
  for (;;) {
    iot_reader name, value;
    iot_status status = find_next(members, levels, &previous, &name, &value);
    if (status != IOT_OK) return status;
    if (name.at == NULL) {
      *reader = value;
      put(sink, context, "}");
      return result;
    }
    if (previous.at != NULL) put(sink, context, ",");
    previous = name;
    canonical_string(&name, sink, context);
    put(sink, context, ":");
    status = iot_canonical(&value, levels, sink, context);
    if (status == IOT_MALFORMED) return status;
    if (status == IOT_UNABLE) result = status;
  }
}

static iot_status canonical_array(iot_reader *reader, unsigned levels, iot_sink sink, void *context) {
  iot_status result = IOT_OK;
  bool first = true;
  put(sink, context, "[");
  for (; more(reader, first, ']'); first = false) {
    iot_status status;
    if (!first) put(sink, context, ",");
    status = iot_canonical(reader, levels, sink, context);
    if (status == IOT_MALFORMED) return status;
    if (status == IOT_UNABLE) result = status;
  }
  if (reader->at == NULL) return IOT_MALFORMED;
  put(sink, context, "]");
  return result;
}

iot_status iot_canonical(iot_reader *reader, unsigned levels, iot_sink sink, void *context) {
  const char opening = iot_peek(reader);
  const char *start = reader->at;
  if (opening == '"') return canonical_string(reader, sink, context) ? IOT_OK : IOT_MALFORMED;
  if (opening == '-' || (opening >= '0' && opening <= '9')) return canonical_number(reader, sink, context);
  if (opening == '{' || opening == '[') {
    if (levels == 0) return IOT_MALFORMED;
    reader->at++;
    return opening == '{' ? canonical_object(reader, levels - 1, sink, context)
                          : canonical_array(reader, levels - 1, sink, context);
  }
  if (!skip_word(reader)) return IOT_MALFORMED;
  sink(context, start, (size_t)(reader->at - start));
  return IOT_OK;
}
