// C-simulated, not synthesised by us.
//
// Every latency of the circuit in Verilog, in cycles, in one place. They set what the simulation says of time;
// no result depends on them, and an HLS tool makes its own.
#ifndef ERT_TIMING_H
#define ERT_TIMING_H

namespace ert {
namespace timing {

constexpr int STREAM = 2;         // through a FIFO
constexpr int SCRATCH_READ = 3;   // from a bank's grant to the word at the reader
constexpr int FETCH = 2;          // a command's first ROM word; one more a cycle from there
constexpr int READ_START = 2;     // from needs being met to the first address
constexpr int MAC_START = 1;      // between two commands
constexpr int OUT_START = 1;      // between two commands
constexpr int MAC_PIPELINE = 4;   // from an item to its sum
constexpr int OUT_PIPELINE = 7;   // from a sum's lane to a byte
constexpr int COUNT = 1;          // from a completion to the counts that everybody sees
constexpr int SOFTMAX_DIVIDE = 40; // reciprocal of a row's sum
constexpr int LOADER_AHEAD = 2;   // loads that are under way at once
constexpr int STORER_AHEAD = 2;   // stores
constexpr int BURSTS = 4;         // requests that the external memory has accepted at once
constexpr int WINDOW_COLUMNS = 8; // of a window memory

} // namespace timing
} // namespace ert

#endif
