// C-simulated, not synthesised by us.
//
// What a generated top.cpp begins and ends with, in each of three forms: a TAPA task that invokes tasks, a Vitis
// dataflow region, or tasks for our simulation.
#ifndef ERT_TOP_H
#define ERT_TOP_H

#include "ert_counter.h"
#include "ert_external.h"
#include "ert_loader.h"
#include "ert_multiplier.h"
#include "ert_reader.h"
#include "ert_scratchpad.h"
#include "ert_softmax.h"
#include "ert_storer.h"
#include "ert_writer.h"

#if defined(ERT_SYNTHESIS)
#define ERT_TOP(name) void name(ERT_MEMORY(const uint64_t) external_in, ERT_MEMORY(uint64_t) external_out)
#else
#define ERT_TOP(name) void name(ert::Tasks &tasks)
#endif

#if defined(ERT_TAPA)
#define ERT_TASKS tapa::task()
#define ERT_END ;
#else
#define ERT_TASKS
#define ERT_END
#endif

#if defined(ERT_SYNTHESIS)
#define ERT_EXTERNAL(Machine, bursts, words, writes, stored)          \
    ERT_TASK(ExternalRead, Machine, external_in, bursts, words)       \
    ERT_TASK(ExternalWrite, Machine, external_out, writes, stored)
#else
#define ERT_EXTERNAL(Machine, bursts, words, writes, stored) \
    ERT_TASK(External, Machine, bursts, words, writes, stored)
#endif

#endif
