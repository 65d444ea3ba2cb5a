// C-simulated, not synthesised by us.
//
// Streams with a clock, for our simulation: what is written in cycle t can be read from cycle t + latency on; a
// stream is full if it was so when the cycle began. So the order in which tasks step within a cycle is
// of no consequence, as in a circuit. One read and one write a cycle; a second one is our own error, and ends
// the program.
#ifndef ERT_STREAM_TIMED_H
#define ERT_STREAM_TIMED_H

#include "ert_simulate.h"
#include <cstdlib>

namespace ert {

template <class T> class stream {
    struct Entry {
        T value;
        uint64_t from; // the first cycle in which it can be read
    };
    std::vector<Entry> ring;
    size_t head = 0, level = 0;
    uint64_t latency, number, last_read = ~uint64_t(0), last_write = ~uint64_t(0);
    const char *name;

    bool stalled(uint64_t side) const
    {
        const Clock &c = clock();
        return c.stall != 0 && (Clock::mix(c.seed ^ Clock::mix(2 * number + side) ^ c.now) & 255) < c.stall;
    }
    void once(uint64_t &last, const char *what)
    {
        if (last == clock().now) {
            fprintf(stderr, "stream %s: two %s in cycle %llu\n", name, what, (unsigned long long)last);
            abort();
        }
        last = clock().now;
        clock().moved = last;
    }

public:
    stream(const char *what, int depth, int delay) : latency(static_cast<uint64_t>(delay)), name(what)
    {
        Clock &c = clock();
        number = ++c.streams;
        const uint64_t drawn = 1 + Clock::mix(c.seed ^ Clock::mix(number)) % static_cast<uint64_t>(depth);
        ring.resize(c.draw_depths ? drawn : static_cast<uint64_t>(depth));
    }

    bool empty() const { return level == 0 || ring[head].from > clock().now || stalled(0); }
    bool full() const { return level + (last_read == clock().now) >= ring.size() || stalled(1); }

    T read()
    {
        once(last_read, "reads");
        const T value = ring[head].value;
        head = head + 1 == ring.size() ? 0 : head + 1;
        level--;
        return value;
    }
    void write(const T &value)
    {
        once(last_write, "writes");
        const size_t at = head + level;
        ring[at < ring.size() ? at : at - ring.size()] = Entry{value, clock().now + latency};
        level++;
    }
};

template <class T, int N> class streams {
    std::vector<stream<T>> all;

public:
    template <class Latency> streams(const char *what, int depth, Latency delay)
    {
        for (int i = 0; i < N; i++) {
            all.emplace_back(what, depth, delay(i));
        }
    }
    stream<T> &operator[](int i) { return all[static_cast<size_t>(i)]; }
};

} // namespace ert

#endif
