/* Before main: copy .data from flash, clear .bss. The symbols come from the linker script (edgert/linker.py). */
#ifndef ERT_STARTUP_H
#define ERT_STARTUP_H

#include <stdint.h>

extern uint32_t ert_data_load[], ert_data_start[], ert_data_end[], ert_bss_start[], ert_bss_end[];
int main(void);

static inline void ert_prepare_memory(void)
{
    const volatile uint32_t *from = ert_data_load;
    for (volatile uint32_t *to = ert_data_start; to < ert_data_end; to++) {
        *to = *from++;
    }
    for (volatile uint32_t *to = ert_bss_start; to < ert_bss_end; to++) {
        *to = 0;
    }
}

#endif
