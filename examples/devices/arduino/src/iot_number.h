/* Decimal numbers as Python writes them: the shortest digits that give the same 64-bit double. */
#ifndef IOT_NUMBER_H
#define IOT_NUMBER_H

#include <stddef.h>

/* What has come of reading a text. */
typedef enum {
  IOT_OK,
  IOT_MALFORMED,
  /* A number that this board cannot write as Python does: more than 15 digits where `double` has 32 bits, or a literal of
     more than IOT_LITERAL_SIZE characters. There is no canonical text then, only the text as sent. */
  IOT_UNABLE
} iot_status;

/* Longest literal that is read as a double. */
#define IOT_LITERAL_SIZE 64
/* Longest number that Python writes: -2.2250738585072014e-308. */
#define IOT_NUMBER_SIZE 25

/* Writes the number that a literal with a point or an exponent stands for; `written` is its length. */
iot_status iot_python_float(const char *literal, size_t length, char text[IOT_NUMBER_SIZE], size_t *written);

#endif
