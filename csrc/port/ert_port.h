/* What a board has to give: seven functions. csrc/port/ has them for cores (core_*.c), serial lines (uart_*.c) and
 * Linux (linux.c). A firmware that only a debug probe drives needs no serial line. */
#ifndef ERT_PORT_H
#define ERT_PORT_H

#include <stdint.h>

/* The cycle counter. start says which it is (ERT_COUNTER_*) and its frequency, 0 if it is the core's. */
uint32_t ert_counter_start(uint32_t *hz);
uint32_t ert_counter_read(void); /* modulo 2^32 */

/* Start over, as out of reset. */
_Noreturn void ert_reset(void);

/* The serial line: 8 data bits, no parity. read gives a byte, or -1 if there is none; it may wait a while. */
void ert_uart_start(void);
int32_t ert_uart_read(void);
void ert_uart_write(uint8_t byte);

/* What else the host should know about how it ran, as text: its address, and its length in *nbytes. */
const char *ert_notes(uint32_t *nbytes);

#endif
