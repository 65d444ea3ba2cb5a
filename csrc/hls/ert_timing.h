// C-simulated, not synthesised by us.
//
// Latencies of the circuit in Verilog (csrc/verilog), in cycles, in one place. They set what the simulation says of
// time; no result depends on them. An HLS tool makes latencies of its own, and there nobody waits on purpose.
#ifndef ERT_TIMING_H
#define ERT_TIMING_H

namespace ert {
namespace timing {

#if defined(ERT_SYNTHESIS)
constexpr int waits(int) { return 0; }
#else
constexpr int waits(int cycles) { return cycles; }
#endif

// Waits of tasks.
constexpr int fetch(int words) { return waits(words + 5); } // of a command from its ROM until it is ready
constexpr int READ_GAP = waits(1);        // more than one cycle between two commands of Read
constexpr int MAC_GAP = waits(1);         // more than one cycle between two commands of Mac
constexpr int LANE_CYCLES = waits(8);     // of a pixel's lanes
constexpr int OUT_CLAIM = waits(8);       // from the end of a command's first pixel until Out has taken the command
constexpr int PARAMS_SETTLE = waits(8);   // until a group of parameters is in its places
constexpr int SOFTMAX_DIVIDE = waits(76); // reciprocal of a row's sum, and the pipelines of its three passes

// Latencies of streams.
constexpr int COUNT = 3;         // from a completion to a command that waits for it
constexpr int WALK = 6;          // from a command's start to its first address, in a pipeline
constexpr int ASK = 4;           // from an address to the bank that serves it
constexpr int ANSWER = 9;        // from there to Mac; 1 more with several banks
constexpr int PIECE = 5;         // from an address to Mac, where no word is needed
constexpr int SUM_TO_BYTES = 27; // from a pixel's last item to the cycle in which its first lane is a byte
constexpr int WRITE = 1;         // from a word to the bank that serves it

// Room.
constexpr int OUT_FIFO = 8;       // pixels between Mac's end and Out's
constexpr int LOADER_AHEAD = 6;   // loads that are under way at once
constexpr int STORER_AHEAD = 2;   // stores
constexpr int BURSTS = 8;         // requests that the external memory has accepted at once
constexpr int WINDOW_COLUMNS = 8; // of a window memory

} // namespace timing
} // namespace ert

#endif
