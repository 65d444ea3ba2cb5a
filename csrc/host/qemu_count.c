/* A QEMU plugin that counts the instructions of every layer of a model, for edgert/drivers/qemu_count.py.
 * Arguments: out=FILE, and any number of r=start-end:mark, hexadecimal addresses and a decimal mark. A block in a
 * range makes its mark the current one; marks of layers (>= 0) count only inside the model, that is after INSIDE.
 * When the current mark becomes OUTSIDE again, the counts are written to FILE, a line "mark count" each.
 * The functions of the plugin interface are declared here, so that QEMU's headers are not needed.
 * Source: QEMU 7.2, include/qemu/qemu-plugin.h, version 1 of the interface. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
typedef void (*translated_t)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*executed_t)(unsigned int cpu, void *data);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, translated_t callback);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, executed_t callback, int flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv);

int qemu_plugin_version = 1;

enum { OUTSIDE = -2, INSIDE = -1, NONE = -3, MOST = 4096 };

typedef struct {
    uint64_t start, end;
    int mark;
} range_t;

typedef struct {
    uint64_t instructions;
    int mark; /* of the block's address */
} block_t;

static range_t ranges[MOST];
static int count_of_ranges;
static uint64_t counts[MOST];
static int current = OUTSIDE, highest;
static char out_path[4096];

static int mark_of(uint64_t address)
{
    for (int i = 0; i < count_of_ranges; i++) {
        if (address >= ranges[i].start && address < ranges[i].end) {
            return ranges[i].mark;
        }
    }
    return NONE;
}

static void write_counts(void)
{
    FILE *out = fopen(out_path, "w");
    if (out == NULL) {
        return;
    }
    for (int mark = INSIDE; mark <= highest; mark++) {
        fprintf(out, "%d %llu\n", mark, (unsigned long long)counts[mark + 1]);
    }
    fclose(out);
    memset(counts, 0, sizeof counts);
}

static void on_block(unsigned int cpu, void *data)
{
    const block_t *block = data;
    (void)cpu;
    if (block->mark == OUTSIDE && current != OUTSIDE) {
        write_counts();
    }
    /* where there is one layer only, link-time optimisation calls it instead of the model */
    if (block->mark < 0 ? block->mark != NONE : current != OUTSIDE || highest == 0) {
        current = block->mark;
    }
    if (current != OUTSIDE) {
        counts[current + 1] += block->instructions;
    }
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    block_t *block = malloc(sizeof *block);
    (void)id;
    if (block == NULL) {
        abort();
    }
    block->instructions = qemu_plugin_tb_n_insns(tb);
    block->mark = mark_of(qemu_plugin_tb_vaddr(tb));
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, 0, block);
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        range_t *r = &ranges[count_of_ranges];
        if (strncmp(argv[i], "out=", 4) == 0) {
            snprintf(out_path, sizeof out_path, "%s", argv[i] + 4);
        } else if (count_of_ranges < MOST - 1 &&
                   sscanf(argv[i], "r=%llx-%llx:%d", (unsigned long long *)&r->start, (unsigned long long *)&r->end,
                          &r->mark) == 3) {
            highest = r->mark > highest ? r->mark : highest;
            count_of_ranges++;
        } else {
            fprintf(stderr, "qemu_count: not an argument: %s\n", argv[i]);
            return -1;
        }
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    return 0;
}
