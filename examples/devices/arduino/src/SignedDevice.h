/* Everything of this library, for sketches in C++ and programs in C. */
#ifndef SIGNED_DEVICE_H
#define SIGNED_DEVICE_H

#ifdef __cplusplus
extern "C" {
#endif

#include "iot_actions.h"
#include "iot_message.h"
#include "iot_payload.h"

#ifdef __cplusplus
}
#endif

#endif
