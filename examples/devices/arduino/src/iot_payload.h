/* Writes the payload of a message, and reads the members of a received one. */
#ifndef IOT_PAYLOAD_H
#define IOT_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A payload that is being written. `fits` says at the end whether all of it is there. */
typedef struct {
  char *text;
  size_t size;
  size_t length;
  bool fits;
} iot_payload;

/* Members may come in any order: signing sorts them. A name has to be plain ASCII without quotes and backslashes. */
void iot_payload_begin(iot_payload *payload, char *text, size_t size);
/* With a fixed number of decimals, up to 9. Not a number, infinities and magnitudes from 1e9 on do not fit. */
void iot_payload_float(iot_payload *payload, const char *name, double value, unsigned decimals);
void iot_payload_integer(iot_payload *payload, const char *name, int64_t value);
void iot_payload_boolean(iot_payload *payload, const char *name, bool value);
/* UTF-8. */
void iot_payload_text(iot_payload *payload, const char *name, const char *value);
/* Adds the time and the closing brace; true when everything has fitted. */
bool iot_payload_end(iot_payload *payload, int64_t seconds, int32_t nanoseconds);

/* Members of a payload that has been verified. False where there is none of that name and type. */
bool iot_get_number(const char *payload, size_t length, const char *name, double *value);
bool iot_get_integer(const char *payload, size_t length, const char *name, int64_t *value);
bool iot_get_boolean(const char *payload, size_t length, const char *name, bool *value);
/* In UTF-8 with a zero at the end; false too where it does not fit, or holds a zero or half a surrogate pair. */
bool iot_get_text(const char *payload, size_t length, const char *name, char *value, size_t size);

#endif
