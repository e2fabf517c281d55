/* Standard base64 with padding, RFC 4648 section 4. */
#ifndef IOT_BASE64_H
#define IOT_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Characters that so many bytes take. */
#define IOT_BASE64_LENGTH(bytes) (((bytes) + 2) / 3 * 4)

/* Writes IOT_BASE64_LENGTH(length) characters, without a zero at the end. */
void iot_base64_encode(const uint8_t *data, size_t length, char *text);

/* Number of bytes, or 0 where the text is no base64 or does not fit: for reading a device's key. */
size_t iot_base64_decode(const char *text, size_t length, uint8_t *data, size_t size);

#endif
