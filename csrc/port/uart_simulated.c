/* The byte port of a core that is simulated (edgert/rtl/vexriscv.cpp); -DERT_UART_BASE=<address>. */
#include "port/ert_port.h"

#define REGISTER(offset) (*(volatile uint32_t *)(ERT_UART_BASE + (offset)))
#define AVAILABLE REGISTER(0u)
#define DATA REGISTER(4u)

void ert_uart_start(void)
{
}

int32_t ert_uart_read(void)
{
    return AVAILABLE != 0 ? (int32_t)DATA : -1;
}

void ert_uart_write(uint8_t byte)
{
    DATA = byte;
}
