/* RISC-V in machine mode: the counter is mcycle; traps; reset.
 * Source: The RISC-V Instruction Set Manual, volume II, 3.1.10 (mcycle), 3.1.14 to 16 (mepc, mcause, mtval) */
#include "port/ert_port.h"
#include "runtime/ert_mailbox.h"

void _start(void);
void ert_fault_exception(void);
_Noreturn void ert_fault_riscv(uintptr_t sp, uintptr_t link);

uint32_t ert_counter_start(uint32_t *hz)
{
    *hz = 0;
    __asm__ volatile("csrw mie, zero"); /* a boot loader may have left interrupts enabled */
    return ERT_COUNTER_MCYCLE;
}

uint32_t ert_counter_read(void)
{
    uintptr_t cycles;
    __asm__ volatile("csrr %0, mcycle" : "=r"(cycles));
    return (uint32_t)cycles;
}

void ert_reset(void)
{
    _start(); /* which sets up everything that we use */
    for (;;) {
    }
}

/* Any trap, on a fresh stack: the old one may be the reason. */
__attribute__((naked, aligned(4))) void ert_fault_exception(void)
{
    __asm__ volatile("mv a0, sp\n"
                     "mv a1, ra\n"
                     "la sp, ert_stack_top\n"
                     "j ert_fault_riscv");
}

void ert_fault_riscv(uintptr_t sp, uintptr_t link)
{
    uintptr_t cause, pc, address;
    __asm__ volatile("csrr %0, mcause\n csrr %1, mepc\n csrr %2, mtval" : "=r"(cause), "=r"(pc), "=r"(address));
    const ert_fault_t fault = {(uint32_t)cause, (uint32_t)pc, (uint32_t)link, (uint32_t)sp, (uint32_t)address};
    ert_fault(&fault);
}

const char *ert_notes(uint32_t *nbytes)
{
    *nbytes = 0;
    return "";
}
