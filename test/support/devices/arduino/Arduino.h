// Stands in for the board, so that the sketch runs on this computer. The broker is a pipe: see PubSubClient.h.
#pragma once
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

inline unsigned long millis() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (unsigned long)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}
inline void delay(unsigned long milliseconds) { usleep((useconds_t)(milliseconds * 1000)); }
inline void configTime(long, int, const char *) {}

struct SerialPort {
  void begin(long) {}
  void printf(const char *format, ...) {
    va_list values;
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
  }
};
inline SerialPort Serial;
