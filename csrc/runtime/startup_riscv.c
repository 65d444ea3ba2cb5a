/* Reset of an RV32 core: set the stack and the trap vector, then C.
 * Source: The RISC-V Instruction Set Manual, volume II, 3.1.7 (mtvec); volume I, chapter on the calling convention */
#include "runtime/startup.h"

void _start(void);
void ert_start_c(void);
void ert_fault_exception(void); /* csrc/port/core_riscv.c */

__attribute__((naked, section(".vectors"), used)) void _start(void)
{
    __asm__ volatile("la sp, ert_stack_top\n"
                     "la t0, ert_fault_exception\n"
                     "csrw mtvec, t0\n"
                     "j ert_start_c");
}

void ert_start_c(void)
{
    ert_prepare_memory();
    main();
}
