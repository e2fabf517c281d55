#include "iot_number.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many digits may be read from a literal: two different numbers of up to 15 are never the same double. */
#define EXACT_DIGITS 15
#define DOUBLE_DIGITS 17
/* Beyond what the zeros of a message of any length could bring back into the range of doubles. */
#define HUGE_EXPONENT 10000000

/* The number 0.<digits> times ten to the power of `point`. */
typedef struct {
  char digits[DOUBLE_DIGITS + 1];
  int count;
  int32_t point;
} decimal;

/* The significant digits of a literal; false where they are more than EXACT_DIGITS. */
static bool digits_of(const char *literal, size_t length, decimal *number) {
  bool behind_point = false;
  int zeros = 0; /* zeros that count only if another digit follows */
  int32_t exponent = 0;
  size_t at;
  number->count = number->point = 0;
  for (at = 0; at < length && literal[at] != 'e' && literal[at] != 'E'; at++) {
    const char character = literal[at];
    if (character == '.') {
      behind_point = true;
    } else if (character == '0' && number->count == 0) {
      if (behind_point) number->point--;
    } else if (character >= '0' && character <= '9') {
      if (!behind_point) number->point++;
      if (character == '0') {
        zeros++;
        continue;
      }
      if (number->count + zeros >= EXACT_DIGITS) return false;
      while (zeros > 0) {
        number->digits[number->count++] = '0';
        zeros--;
      }
      number->digits[number->count++] = character;
    }
  }
  if (at < length) {
    const bool negative = literal[at + 1] == '-';
    for (at++; at < length; at++) {
      if (literal[at] >= '0' && literal[at] <= '9' && exponent < HUGE_EXPONENT)
        exponent = 10 * exponent + (literal[at] - '0');
    }
    number->point += negative ? -exponent : exponent;
  }
  return true;
}

#if DBL_MANT_DIG == 53

/* Reads back what snprintf writes for "%.*e", with other digits. */
static bool gives(const decimal *number, double value) {
  char text[IOT_LITERAL_SIZE];
  snprintf(text, sizeof text, "0.%.*se%ld", number->count, number->digits, (long)number->point);
  return strtod(text, NULL) == value;
}

static void next_above(decimal *number) {
  int at = number->count - 1;
  while (at >= 0 && number->digits[at] == '9') number->digits[at--] = '0';
  if (at >= 0) {
    number->digits[at]++;
  } else {
    number->digits[0] = '1';
    number->point++;
  }
}

/* The shortest digits that are read as this double; of several of that length, the nearest. */
static iot_status shortest(const char *literal, size_t length, decimal *number) {
  char text[IOT_LITERAL_SIZE];
  double value;
  if (length >= sizeof text) return IOT_UNABLE;
  memcpy(text, literal, length);
  text[length] = 0;
  value = fabs(strtod(text, NULL));
  if (value > DBL_MAX) return IOT_MALFORMED;
  number->count = 0;
  if (value == 0) return IOT_OK;
  for (int count = 1; count <= DOUBLE_DIGITS; count++) {
    snprintf(text, sizeof text, "%.*e", count - 1, value);
    number->digits[0] = text[0];
    memcpy(number->digits + 1, text + 2, (size_t)count - 1);
    number->count = count;
    number->point = atoi(strchr(text, 'e') + 1) + 1;
    if (gives(number, value)) break;
    /* Above a power of two the next double is twice as far away as below: the decimal above may do where the nearest,
       below, does not. */
    next_above(number);
    if (gives(number, value)) break;
  }
  while (number->count > 1 && number->digits[number->count - 1] == '0') number->count--;
  return IOT_OK;
}

#else

static iot_status shortest(const char *literal, size_t length, decimal *number) {
  (void)literal;
  (void)length;
  return number->point > 310 ? IOT_MALFORMED : IOT_UNABLE;
}

#endif

/* In the form of Python's repr(): with an exponent below 1e-4 and from 1e16 on. */
static size_t write_decimal(const decimal *number, char *text) {
  char *to = text;
  int32_t at;
  if (number->count == 0) {
    memcpy(to, "0.0", 3);
    return 3;
  }
  if (number->point > -4 && number->point <= 16) {
    /* At least one digit on either side of the point. */
    for (at = number->point < 1 ? number->point - 1 : 0; at < number->count || at <= number->point; at++) {
      if (at == number->point) *to++ = '.';
      *to++ = at >= 0 && at < number->count ? number->digits[at] : '0';
    }
    return (size_t)(to - text);
  }
  at = number->point - 1;
  *to++ = number->digits[0];
  if (number->count > 1) {
    *to++ = '.';
    memcpy(to, number->digits + 1, (size_t)number->count - 1);
    to += number->count - 1;
  }
  *to++ = 'e';
  *to++ = at < 0 ? '-' : '+';
  if (at < 0) at = -at;
  if (at >= 100) *to++ = (char)('0' + at / 100);
  *to++ = (char)('0' + at / 10 % 10);
  *to++ = (char)('0' + at % 10);
  return (size_t)(to - text);
}

iot_status iot_python_float(const char *literal, size_t length, char text[IOT_NUMBER_SIZE], size_t *written) {
  const bool negative = length > 0 && literal[0] == '-';
  decimal number;
  const bool exact = digits_of(literal, length, &number);
  /* Within this range doubles have their full precision. */
  const bool ordinary = number.count == 0 || (number.point >= -306 && number.point <= 308);
  if (!exact || !ordinary) {
    const iot_status status = shortest(literal, length, &number);
    if (status != IOT_OK) return status;
  }
  if (negative) text[0] = '-';
  *written = write_decimal(&number, text + negative) + negative;
  return IOT_OK;
}
