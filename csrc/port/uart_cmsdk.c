/* The UART of Arm's Cortex-M System Design Kit, as on the MPS2 and MPS3 boards; -DERT_UART_BASE=<address>.
 * Source: Arm DDI 0479, 4.3 (APB UART) */
#include "port/ert_port.h"

#define REGISTER(offset) (*(volatile uint32_t *)(ERT_UART_BASE + (offset)))
#define DATA REGISTER(0x0u)
#define STATE REGISTER(0x4u)
#define STATE_TX_FULL 1u
#define STATE_RX_FULL 2u
#define CTRL REGISTER(0x8u)
#define CTRL_TX_RX_ENABLE 3u
#define BAUDDIV REGISTER(0x10u)
#define BAUDDIV_VALUE 217u /* 25 MHz / 115,200 */

void ert_uart_start(void)
{
    BAUDDIV = BAUDDIV_VALUE;
    CTRL = CTRL_TX_RX_ENABLE;
}

int32_t ert_uart_read(void)
{
    return (STATE & STATE_RX_FULL) != 0 ? (int32_t)(DATA & 0xFFu) : -1;
}

void ert_uart_write(uint8_t byte)
{
    while ((STATE & STATE_TX_FULL) != 0) {
    }
    DATA = byte;
}
