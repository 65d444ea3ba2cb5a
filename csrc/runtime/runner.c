/* Firmware that runs one model on request: through the mailbox by a debug probe, and over a serial line too where
 * the board has one (-DERT_SERIAL). */
#include "port/ert_port.h"
#include "runtime/ert_mailbox.h"
#ifdef ERT_SERIAL
#include "runtime/ert_frames.h"
#endif

int main(void);

int main(void)
{
    ert_mailbox_start();
#ifdef ERT_SERIAL
    ert_uart_start();
#endif
    ert_serve();
}

void ert_serve(void)
{
    for (;;) {
        ert_idle();
        ert_mailbox_answer();
#ifdef ERT_SERIAL
        ert_frames_poll();
#endif
    }
}
