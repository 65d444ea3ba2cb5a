/* Linux: the serial line is the standard streams, the counter CNTVCT or the system's clock, a fault a signal.
 * Environment: ERT_CPU, the number of the CPU to stay on. Ends when its standard input does.
 * Source: Arm ARM for A-profile, D11 (the generic timer); sched_setaffinity(2), sigaction(2), clock_gettime(2) */
#define _GNU_SOURCE
#include "port/ert_port.h"
#include "runtime/ert_mailbox.h"
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static unsigned char alternate_stack[65536];
static int cpu = -1; /* any */
static uint8_t in[65536], out[65536];
static ssize_t in_bytes, in_at;
static size_t out_bytes;

uint32_t ert_counter_start(uint32_t *hz)
{
#if defined(__aarch64__)
    uint64_t frequency;
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
    *hz = (uint32_t)frequency;
    return ERT_COUNTER_CNTVCT;
#else
    *hz = 1000000000u;
    return ERT_COUNTER_CLOCK;
#endif
}

uint32_t ert_counter_read(void)
{
#if defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("isb\n mrs %0, cntvct_el0" : "=r"(ticks)::"memory");
    return (uint32_t)ticks;
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
#endif
}

void ert_reset(void)
{
    exit(EXIT_SUCCESS); /* the host starts us anew */
}

static void write_all(void)
{
    for (size_t done = 0; done < out_bytes;) {
        const ssize_t written = write(STDOUT_FILENO, out + done, out_bytes - done);
        if (written <= 0) {
            exit(EXIT_FAILURE);
        }
        done += (size_t)written;
    }
    out_bytes = 0;
}

int32_t ert_uart_read(void)
{
    if (in_at == in_bytes) {
        write_all();
        in_at = 0;
        in_bytes = read(STDIN_FILENO, in, sizeof in);
        if (in_bytes <= 0) {
            exit(EXIT_SUCCESS);
        }
    }
    return in[in_at++];
}

void ert_uart_write(uint8_t byte)
{
    if (out_bytes == sizeof out) {
        write_all();
    }
    out[out_bytes++] = byte;
    if (byte == 0 && out_bytes > 1) { /* the end of a frame: what comes next may take long */
        write_all();
    }
}

/* One line of a file in /sys about the CPU, without its end; empty where there is none. */
static void describe(char *to, size_t nbytes, int on, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/%s", on, name);
    to[0] = 0;
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        if (fgets(to, (int)nbytes, file) == NULL) {
            to[0] = 0;
        }
        fclose(file);
    }
    to[strcspn(to, "\n")] = 0;
}

const char *ert_notes(uint32_t *nbytes)
{
    static char text[128]; /* as edgert/drivers/mailbox.py reads them */
    char governor[16], khz[16];
    const int on = sched_getcpu();
    describe(governor, sizeof governor, on, "scaling_governor");
    describe(khz, sizeof khz, on, "scaling_cur_freq");
    snprintf(text, sizeof text, "cpu %d%s, governor %s, frequency %s kHz", on, cpu < 0 ? " (not bound)" : "",
             governor[0] != 0 ? governor : "unknown", khz[0] != 0 ? khz : "unknown");
    *nbytes = sizeof text;
    return text;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    ert_fault_t fault = {(uint32_t)number, 0, 0, 0, (uint32_t)(uintptr_t)info->si_addr};
    const ucontext_t *at = context;
#if defined(__aarch64__)
    fault.pc = (uint32_t)at->uc_mcontext.pc;
    fault.link = (uint32_t)at->uc_mcontext.regs[30];
    fault.sp = (uint32_t)at->uc_mcontext.sp;
#elif defined(__riscv)
    fault.pc = (uint32_t)at->uc_mcontext.__gregs[0];
    fault.link = (uint32_t)at->uc_mcontext.__gregs[1];
    fault.sp = (uint32_t)at->uc_mcontext.__gregs[2];
#elif defined(__arm__)
    fault.pc = (uint32_t)at->uc_mcontext.arm_pc;
    fault.link = (uint32_t)at->uc_mcontext.arm_lr;
    fault.sp = (uint32_t)at->uc_mcontext.arm_sp;
#else
    (void)at;
#endif
    ert_fault(&fault); /* serves on, from in here: what has faulted does not go on */
}

static void catch_faults(void)
{
    const stack_t stack = {.ss_sp = alternate_stack, .ss_size = sizeof alternate_stack};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaltstack(&stack, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
}


static void stay_on(const char *number)
{
    cpu_set_t set;
    cpu = atoi(number);
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        fprintf(stderr, "cannot stay on CPU %d\n", cpu);
        exit(EXIT_FAILURE);
    }
}

void ert_uart_start(void)
{
    const char *number = getenv("ERT_CPU");
    if (number != NULL && number[0] != 0) {
        stay_on(number);
    }
    catch_faults();
}
