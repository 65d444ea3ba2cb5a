/* Cortex-M: the counter is DWT CYCCNT where there is one that counts, else SysTick; faults; reset.
 * Source: Armv7-M ARM, C1.8 (DWT), B3.3 (SysTick), B3.2.6 (AIRCR), B3.2.15 to 18 (CFSR, MMFAR, BFAR),
 * B1.5.6 (exception entry); Armv6-M ARM, B3.3 */
#include "port/ert_port.h"
#include "runtime/ert_mailbox.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define DEMCR REGISTER(0xE000EDFCu)
#define DEMCR_TRCENA (1u << 24)
#define DWT_CTRL REGISTER(0xE0001000u)
#define DWT_CTRL_CYCCNTENA 1u
#define DWT_CYCCNT REGISTER(0xE0001004u)
#define DWT_LAR REGISTER(0xE0001FB0u)
#define DWT_LAR_KEY 0xC5ACCE55u
#define SYST_CSR REGISTER(0xE000E010u)
#define SYST_CSR_CORE_CLOCK_EXCEPTION_ENABLE 7u
#define SYST_RVR REGISTER(0xE000E014u)
#define SYST_CVR REGISTER(0xE000E018u)
#define SYST_BITS 24
#define AIRCR REGISTER(0xE000ED0Cu)
#define AIRCR_SYSRESETREQ 0x05FA0004u
#define CFSR REGISTER(0xE000ED28u)
#define CFSR_MMARVALID (1u << 7)
#define CFSR_BFARVALID (1u << 15)
#define MMFAR REGISTER(0xE000ED34u)
#define BFAR REGISTER(0xE000ED38u)
#define ICER ((volatile uint32_t *)0xE000E180u)

static volatile uint32_t wraps; /* of SysTick */
static uint32_t has_dwt;

extern uint32_t ert_stack_limit[], ert_stack_top[];

void ert_tick(void);
void ert_fault_exception(void);
_Noreturn void ert_fault_cortex_m(const uint32_t *frame);

/* SysTick went through zero: the one exception that may interrupt a layer, once every 2^24 cycles. */
void ert_tick(void)
{
    wraps++;
}

static uint32_t start_dwt(void)
{
#if __ARM_ARCH >= 7
    DEMCR |= DEMCR_TRCENA;
    DWT_LAR = DWT_LAR_KEY; /* the Cortex-M7 has it locked */
    DWT_CYCCNT = 0;
    DWT_CTRL |= DWT_CTRL_CYCCNTENA;
    for (uint32_t i = 0; i < 8; i++) {
        __asm__ volatile("nop");
    }
    return DWT_CYCCNT != 0; /* it is optional */
#else
    return 0;
#endif
}

uint32_t ert_counter_start(uint32_t *hz)
{
    *hz = 0;
    for (uint32_t i = 0; i < 8; i++) { /* a boot loader may have left interrupts enabled */
        ICER[i] = 0xFFFFFFFFu;
    }
    has_dwt = start_dwt();
    if (has_dwt == 0) {
        SYST_RVR = (1u << SYST_BITS) - 1;
        SYST_CVR = 0;
        SYST_CSR = SYST_CSR_CORE_CLOCK_EXCEPTION_ENABLE;
    }
    return has_dwt != 0 ? ERT_COUNTER_DWT : ERT_COUNTER_SYSTICK;
}

uint32_t ert_counter_read(void)
{
    if (has_dwt != 0) {
        return DWT_CYCCNT;
    }
    uint32_t before, value;
    do {
        before = wraps;
        value = SYST_CVR; /* counts down */
    } while (before != wraps);
    return (before << SYST_BITS) - value;
}

void ert_reset(void)
{
    __asm__ volatile("dsb" ::: "memory");
    AIRCR = AIRCR_SYSRESETREQ;
    for (;;) {
    }
}

/* HardFault and what escalates to it, on a fresh stack: the old one may be the reason. */
__attribute__((naked)) void ert_fault_exception(void)
{
    __asm__ volatile("mov r0, sp\n"
                     "ldr r1, =ert_stack_top\n"
                     "mov sp, r1\n"
                     "ldr r1, =ert_fault_cortex_m\n"
                     "bx r1\n"
                     ".ltorg");
}

/* frame: r0-r3, r12, lr, pc, xPSR as the core saved them */
void ert_fault_cortex_m(const uint32_t *frame)
{
    const uint32_t saved = frame >= ert_stack_limit && frame + 8 <= ert_stack_top;
    ert_fault_t fault = {0, saved ? frame[6] : 0, saved ? frame[5] : 0, (uint32_t)frame + 32, 0};
#if __ARM_ARCH >= 7
    fault.cause = CFSR;
    fault.address = (fault.cause & CFSR_BFARVALID) != 0 ? BFAR : (fault.cause & CFSR_MMARVALID) != 0 ? MMFAR : 0;
#endif
    ert_fault(&fault);
}

const char *ert_notes(uint32_t *nbytes)
{
    *nbytes = 0;
    return "";
}
