/* Reads JSON (RFC 8259) strictly, in place, and writes its canonical text: what Python's
   json.dumps(value, separators=(",", ":"), sort_keys=True) writes. */
#ifndef IOT_JSON_H
#define IOT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "iot_number.h"

typedef struct {
  const char *at;
  const char *end;
} iot_reader;

/* Takes the parts of a text, one after the other. */
typedef void (*iot_sink)(void *context, const char *text, size_t length);

/* Writes the value that is next in canonical text, nested up to `levels`, and stands behind it. What has been written is
   worth nothing unless the result is IOT_OK. */
iot_status iot_canonical(iot_reader *reader, unsigned levels, iot_sink sink, void *context);

/* Skips white space; the character that follows, or 0 at the end. */
char iot_peek(iot_reader *reader);

/* Enters the object that is next; false where there is none. */
bool iot_enter_object(iot_reader *reader);

/* The next member of an object that has been entered: `name` stands at its name, the reader at its value. False behind the
   last one, with the reader behind the object, and in malformed text, with `at` NULL. The value has to be read or skipped. */
bool iot_next_member(iot_reader *reader, bool first, iot_reader *name);

/* Skips one value; false in malformed text. */
bool iot_skip(iot_reader *reader, unsigned levels);

/* Whether the string that is next is this text. The reader stays. */
bool iot_is_text(iot_reader reader, const char *text);

/* The code point that is next within a string, half a surrogate pair among them. */
#define IOT_END_OF_STRING (-1)
#define IOT_BAD_STRING (-2)
int32_t iot_character(iot_reader *reader);

#endif
