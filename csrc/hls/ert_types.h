// C-simulated, not synthesised by us.
//
// Integers, streams and tasks under three names each: Vitis HLS, TAPA, and our own simulation.
//
//   ERT_HLS        hls::stream and ap_int of the user's (defined with __SYNTHESIS__)
//   ERT_TAPA       tapa::stream and ap_int of the user's
//   neither        ert_stream_timed.h: streams with a clock
//   ERT_SYNTHESIS  a task is a function that loops (defined with __SYNTHESIS__ and ERT_TAPA); without it, the
//                  simulation makes one iteration of every task after the other: a cycle
//
// The latency of an array of streams may depend on its index i.
// A task is a class with a function `step`, one iteration of its loop: at most one read and one write of each
// stream, so that a loop with an initiation interval of 1 is what is simulated.
#ifndef ERT_TYPES_H
#define ERT_TYPES_H

#include <cstdint>
#include <type_traits>

#if defined(__SYNTHESIS__) && !defined(ERT_TAPA)
#define ERT_HLS
#endif
#if defined(__SYNTHESIS__) || defined(ERT_TAPA)
#define ERT_SYNTHESIS
#endif

#if defined(ERT_TAPA)
#include <ap_int.h>
#include <tapa.h>
#define ERT_IN(T) tapa::istream<T> &
#define ERT_OUT(T) tapa::ostream<T> &
#define ERT_INS(T, name, n) tapa::istreams<T, n> &name
#define ERT_OUTS(T, name, n) tapa::ostreams<T, n> &name
#define ERT_STREAM(T, name, depth, latency) tapa::stream<T, depth> name(#name)
#define ERT_STREAMS(T, name, n, depth, latency) tapa::streams<T, n, depth> name(#name)
#elif defined(ERT_HLS)
#include <ap_int.h>
#include <hls_stream.h>
#define ERT_IN(T) hls::stream<T> &
#define ERT_OUT(T) hls::stream<T> &
#define ERT_INS(T, name, n) hls::stream<T>(&name)[n]
#define ERT_OUTS(T, name, n) hls::stream<T>(&name)[n]
#if defined(ERT_SYNTHESIS)
#define ERT_STREAM(T, name, depth, latency) \
    hls::stream<T> name; ERT_PRAGMA(HLS stream variable = name depth = depth)
#define ERT_STREAMS(T, name, n, depth, latency) \
    hls::stream<T> name[n]; ERT_PRAGMA(HLS stream variable = name depth = depth)
#else // streams outlive the function that connects the tasks
#define ERT_STREAM(T, name, depth, latency) auto &name = tasks.own<hls::stream<T>>()
#define ERT_STREAMS(T, name, n, depth, latency) auto &name = tasks.own_array<hls::stream<T>, n>()
#endif
#else
#include "ert_stream_timed.h"
#define ERT_IN(T) ert::stream<T> &
#define ERT_OUT(T) ert::stream<T> &
#define ERT_INS(T, name, n) ert::streams<T, n> &name
#define ERT_OUTS(T, name, n) ert::streams<T, n> &name
#define ERT_STREAM(T, name, depth, latency) auto &name = tasks.own<ert::stream<T>>(#name, depth, latency)
#define ERT_STREAMS(T, name, n, depth, latency) \
    auto &name = tasks.own<ert::streams<T, n>>(#name, depth, [](int i) { return (void)i, latency; })
#endif

#if defined(ERT_HLS) || defined(ERT_TAPA)
template <int BITS> using ert_uint = ap_uint<BITS>;
template <int BITS> using ert_int = ap_int<BITS>;
#else // the next larger integer; nothing relies on a smaller one wrapping around
template <int BITS>
using ert_uint = std::conditional_t<
    (BITS <= 8), uint8_t,
    std::conditional_t<(BITS <= 16), uint16_t, std::conditional_t<(BITS <= 32), uint32_t, uint64_t>>>;
template <int BITS> using ert_int = std::make_signed_t<ert_uint<BITS>>;
#endif

#if defined(ERT_SYNTHESIS)
#define ERT_PRAGMA_TEXT(text) _Pragma(#text)
#define ERT_PRAGMA(text) ERT_PRAGMA_TEXT(text)
#define ERT_STARTED(agent, command)
#define ERT_COMPLETED(agent, command)
#define ERT_WORKED(agent)
#else
#include "ert_simulate.h"
#define ERT_PRAGMA(text)
#define ERT_STARTED(agent, command) ert::trace().started(agent, command)
#define ERT_COMPLETED(agent, command) ert::trace().completed(agent, command)
#define ERT_WORKED(agent) ert::trace().worked(agent)
#endif

#if defined(ERT_TAPA) // in a chain that begins with tapa::task()
#define ERT_TASK(Unit, Config, ...) .invoke(ert::run_##Unit<Config>, __VA_ARGS__)
#elif defined(ERT_SYNTHESIS)
#define ERT_TASK(Unit, Config, ...) ert::run_##Unit<Config>(__VA_ARGS__);
#else
#define ERT_TASK(Unit, Config, ...) tasks.add<ert::Unit<Config>>(__VA_ARGS__);
#endif

// The loop of a task, for a function that names its streams.
#define ERT_RUN(unit, ...)            \
    do {                              \
        ERT_PRAGMA(HLS pipeline II = 1) \
        unit.step(__VA_ARGS__);       \
    } while (!unit.finished())

#endif
