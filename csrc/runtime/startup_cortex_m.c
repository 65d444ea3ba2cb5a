/* Reset and vector table of every Cortex-M. Source: Armv7-M Architecture Reference Manual, B1.5 */
#include "runtime/startup.h"

extern uint32_t ert_stack_top[], ert_flash_start[];
void _start(void);
void ert_fault_exception(void);      /* csrc/port/core_cortex_m.c */
void ert_tick(void);
void ert_unexpected_exception(void);

void _start(void)
{
#if __ARM_ARCH >= 7
    /* VTOR: a debugger may have started us from memory that is not where reset looks. Armv7-M ARM, B3.2.5 */
    *(volatile uint32_t *)0xE000ED08u = (uint32_t)ert_flash_start;
#endif
#if defined(__ARM_FP)
    /* CPACR: full access to CP10 and CP11, the FPU. Armv7-M ARM, B3.2.20 */
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20;
    __asm__ volatile("dsb\n isb" ::: "memory");
#endif
    ert_prepare_memory();
    main();
    ert_unexpected_exception();
}

/* A fault with no better handler stops here, where a debugger sees it. */
void ert_unexpected_exception(void)
{
    for (;;) {
        __asm__ volatile("bkpt #0");
    }
}

__attribute__((section(".vectors"), used)) static const void *const ert_vectors[16] = {
    ert_stack_top, (const void *)_start,
    (const void *)ert_unexpected_exception, /* NMI */
    (const void *)ert_fault_exception,      /* HardFault, and what escalates to it: */
    (const void *)ert_fault_exception, (const void *)ert_fault_exception, (const void *)ert_fault_exception,
    (const void *)ert_fault_exception, 0, 0, 0,
    (const void *)ert_unexpected_exception, (const void *)ert_unexpected_exception, 0,
    (const void *)ert_unexpected_exception, (const void *)ert_tick,
};
