/* The 16550 UART with registers a byte apart, as on QEMU's RISC-V virt machine; -DERT_UART_BASE=<address>.
 * The boot loader's baud rate stays. Source: Texas Instruments PC16550D datasheet, 8 (registers) */
#include "port/ert_port.h"

#define REGISTER(offset) (*(volatile uint8_t *)(ERT_UART_BASE + (offset)))
#define DATA REGISTER(0u)
#define FCR REGISTER(2u)
#define FCR_ENABLE_AND_CLEAR 7u
#define LCR REGISTER(3u)
#define LCR_8_BITS 3u
#define LSR REGISTER(5u)
#define LSR_DATA_READY 1u
#define LSR_TX_EMPTY 0x20u

void ert_uart_start(void)
{
    LCR = LCR_8_BITS;
    FCR = FCR_ENABLE_AND_CLEAR;
}

int32_t ert_uart_read(void)
{
    return (LSR & LSR_DATA_READY) != 0 ? (int32_t)DATA : -1;
}

void ert_uart_write(uint8_t byte)
{
    while ((LSR & LSR_TX_EMPTY) == 0) {
    }
    DATA = byte;
}
